use std::path::Path;

use proptest::prelude::*;
use pulp::Arch;
use tract_onnx::prelude::*;

use super::speaker::SpeakerBuffers;
use super::{EMBEDDING_DIM, FBANK_BANDS, SPEAKER_FRAMES, SpeakerNet};
use super::{InferenceError, KeywordNet, MEL_BANDS, PULSE, VECTOR_DIM, WARM_UP};
use crate::features::{Frames, HOP, WINDOW, fbank};

const KEYWORD: &[u8] = include_bytes!("../../models/keyword_encoder.onnx");
const SPEAKER: &[u8] = include_bytes!("../../models/speaker_encoder.onnx");
const PULSES: usize = WARM_UP + 20;

/// Values between -8 and 4, as log-mel frames have.
fn mel() -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 * (12.0 / (1 << 24) as f32) - 8.0
    };
    (0..PULSES * PULSE * MEL_BANDS).map(|_| next()).collect()
}

/// What runs `file` in tract on inputs of `shape`.
fn tract(mut file: &[u8], shape: &[usize]) -> impl Fn(&[f32]) -> Vec<f32> {
    let mut model = tract_onnx::onnx().with_ignore_value_info(true).model_for_read(&mut file).unwrap();
    model.set_input_fact(0, f32::fact(shape).into()).unwrap();
    let plan = model.into_optimized().unwrap().into_runnable().unwrap();
    move |values| {
        let output = plan.run(tvec!(Tensor::from_shape(shape, values).unwrap().into_tvalue())).unwrap();
        output[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec()
    }
}

#[track_caller]
fn assert_near(ours: &[f32], theirs: &[f32], tolerance: f32, arch: Arch) {
    assert_eq!(ours.len(), theirs.len());
    let scale = theirs.iter().fold(1.0f32, |most, x| most.max(x.abs()));
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= tolerance * scale, "{arch:?}: {a} is not {b}, among values up to {scale}");
    }
}

#[test]
fn no_instruction_set_makes_other_vectors_than_tract() {
    let mel = mel();
    let values = tract(KEYWORD, &[1, 1, PULSES * PULSE, MEL_BANDS])(&mel);
    let count = values.len() / VECTOR_DIM;
    assert_eq!(count, PULSES - WARM_UP);
    let vector = |n| (0..VECTOR_DIM).map(|c| values[c * count + n]).collect::<Vec<f32>>();
    let expected: Vec<_> = (0..count).map(vector).collect();
    for arch in [Arch::new(), Arch::Scalar] {
        let mut stream = KeywordNet::for_arch(KEYWORD, arch).unwrap().stream();
        let vectors: Vec<Vec<f32>> =
            mel.chunks_exact(PULSE * MEL_BANDS).map(|pulse| stream.push(pulse).to_vec()).collect();
        for (ours, theirs) in vectors[WARM_UP..].iter().zip(&expected) {
            assert_near(ours, theirs, 1e-5, arch);
        }
    }
}

#[test]
fn no_instruction_set_makes_other_embeddings_than_tract() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("enroll/demo/living-room.flac");
    let room = crate::audio::read_clip(&path).unwrap().samples;
    let reference = tract(SPEAKER, &[1, SPEAKER_FRAMES, FBANK_BANDS]);
    let length = (SPEAKER_FRAMES - 1) * HOP + WINDOW;
    let nets = [Arch::new(), Arch::Scalar].map(|arch| (SpeakerNet::for_arch(SPEAKER, arch).unwrap(), arch));
    // The same for all, so that nothing of an embedding may stay for the next.
    let mut buffers = SpeakerBuffers::default();
    for samples in room.chunks_exact(length).step_by(7) {
        let mut frames = Frames::new(FBANK_BANDS);
        fbank::Fbank::default().compute_into(samples, &mut frames);
        frames.centre_columns();
        let theirs = reference(frames.as_slice());
        assert_eq!(theirs.len(), EMBEDDING_DIM);
        for (net, arch) in &nets {
            assert_near(net.embed(&frames, &mut buffers), &theirs, 1e-4, *arch);
        }
    }
}

/// `file` with the first `from` replaced.
fn patched(file: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let place = file.windows(from.len()).position(|here| here == from).unwrap();
    [&file[..place], to, &file[place + from.len()..]].concat()
}

#[track_caller]
fn assert_refused<T>(loaded: Result<T, InferenceError>, reason: &str) {
    let error = loaded.err().unwrap().to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn a_foreign_network_is_never_run_as_if_it_were_the_keyword_encoder() {
    let refused = |file: &[u8], reason| assert_refused(KeywordNet::load(file), reason);
    let patched = |from: &[u8], to: &[u8]| patched(KEYWORD, from, to);
    refused(b"no network", "not an ONNX file");
    refused(&[], "sizes");
    refused(SPEAKER, "operation 0 is Unsqueeze");
    refused(&patched(b"\x22\x09LeakyRelu", b"\x22\x09ThinkRelu"), "operation 1 is ThinkRelu");
    refused(&patched(b"strides", b"stridex"), "operation 0 (Conv) has another stridex");
    refused(&patched(&0.2f32.to_le_bytes(), &(-0.2f32).to_le_bytes()), "another alpha");
}

#[test]
fn a_foreign_network_is_never_run_as_if_it_were_the_speaker_encoder() {
    let refused = |file: &[u8], reason| assert_refused(SpeakerNet::load(file), reason);
    let patched = |from: &[u8], to: &[u8]| patched(SPEAKER, from, to);
    refused(b"no network", "not an ONNX file");
    refused(&[], "0 operations");
    refused(KEYWORD, "operation 0 is Conv");
    refused(&patched(b"\x22\x07Sigmoid", b"\x22\x07Softmax"), "operation 56 is Softmax");
    refused(&patched(b"strides@\x01@\x02", b"strides@\x01@\x03"), "operation 5 (Conv) has another strides");
    refused(&patched(b"strides", b"stridex"), "operation 5 (Conv) has another stridex");
    refused(&patched(b"fbank", b"fbonk"), "operation 0 (Unsqueeze) has another input");
    // A weight of another type: the sizes of its data no longer fit.
    refused(&patched(b"\x10\x0a\x42", b"\x10\x01\x42"), "(Cast) has another weight");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn no_damage_breaks_more_than_the_file(place in 0..20_000usize, byte in any::<u8>(), cut in 0..KEYWORD.len()) {
        let mut file = KEYWORD.to_vec();
        file[place] = byte;
        let _ = KeywordNet::load(&file);
        prop_assert!(KeywordNet::load(&KEYWORD[..cut]).is_err());
        let mut file = SPEAKER.to_vec();
        file[2 * place] = byte;
        let _ = SpeakerNet::load(&file);
        prop_assert!(SpeakerNet::load(&SPEAKER[..cut]).is_err());
    }
}
