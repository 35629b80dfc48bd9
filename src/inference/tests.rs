use std::path::Path;

use proptest::prelude::*;
use pulp::Arch;

use super::{EMBEDDING_DIM, FBANK_BANDS, SPEAKER_FRAMES, SpeakerBuffers, SpeakerNet};
use super::{InferenceError, KeywordNet, MEL_BANDS, MOST_PULSES, PULSE, VECTOR_DIM, WARM_UP};
use crate::features::Frames;
use crate::features::frames::dot;

const KEYWORD: &[u8] = include_bytes!("../../models/keyword_encoder.onnx");
const SPEAKER: &[u8] = include_bytes!("../../models/speaker_encoder.onnx");
const SMALL: &[u8] = include_bytes!("../../models/small/speaker_encoder.onnx");

/// A file of `tests/reference`, which ONNX Runtime wrote.
fn reference(file: &str, dim: usize) -> Frames {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(file);
    let bytes = std::fs::read(path).unwrap();
    Frames::from_vec(dim, bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect())
}

#[track_caller]
fn assert_near(ours: &[f32], theirs: &[f32], tolerance: f32, arch: Arch) {
    assert_eq!(ours.len(), theirs.len());
    let scale = theirs.iter().fold(1.0f32, |most, x| most.max(x.abs()));
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= tolerance * scale, "{arch:?}: {a} is not {b}, among values up to {scale}");
    }
}

/// Every instruction set that this machine has.
fn archs() -> Vec<Arch> {
    let mut archs = vec![Arch::new(), Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    archs.extend(pulp::x86::V3::try_new().map(Arch::V3));
    archs
}

#[test]
fn no_instruction_set_makes_other_vectors_than_onnx_runtime() {
    let (mel, expected) = (reference("logmel.f32", MEL_BANDS), reference("vectors.f32", VECTOR_DIM));
    for arch in archs() {
        let net = KeywordNet::for_arch(KEYWORD.into(), arch).unwrap();
        let mel = mel.as_slice().as_chunks::<{ PULSE * MEL_BANDS }>().0;
        let vectors = |pulses: usize| {
            let mut stream = net.stream(pulses);
            let vectors = mel.chunks(pulses).flat_map(|pulses| stream.push(pulses.as_flattened()).to_vec());
            Frames::from_vec(VECTOR_DIM, vectors.collect())
        };
        let one_by_one = vectors(1);
        assert_eq!(one_by_one.rows(), WARM_UP + expected.rows());
        for (ours, theirs) in one_by_one.iter().skip(WARM_UP).zip(expected.iter()) {
            assert_near(ours, theirs, 1e-5, arch);
        }
        // To the last bit, whatever comes together.
        assert!((2..=MOST_PULSES).all(|pulses| vectors(pulses) == one_by_one), "{arch:?}");
    }
}

#[test]
fn no_instruction_set_makes_other_embeddings_than_onnx_runtime() {
    let bands = reference("fbank80.f32", FBANK_BANDS);
    // The same for all, so that nothing of an embedding may stay for the next.
    let mut buffers = SpeakerBuffers::default();
    for (file, expected) in [(SPEAKER, "embeddings.f32"), (SMALL, "embeddings_small.f32")] {
        for arch in archs() {
            let net = SpeakerNet::for_arch(file.into(), arch).unwrap();
            for (window, theirs) in reference(expected, EMBEDDING_DIM).iter().enumerate() {
                let mut frames = bands.slice(4 * window, 4 * window + SPEAKER_FRAMES);
                frames.centre_columns();
                let ours = net.embed(&frames, &mut buffers);
                let distance = 1.0 - dot(ours, theirs) / (dot(ours, ours) * dot(theirs, theirs)).sqrt();
                assert!(distance < 2e-4, "{expected}, {arch:?}: cosine distance {distance}");
            }
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
    let refused = |file: &[u8], reason| assert_refused(KeywordNet::load(file.to_vec()), reason);
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
    let refused = |file: &[u8], reason| assert_refused(SpeakerNet::load(file.to_vec()), reason);
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
        let _ = KeywordNet::load(file);
        prop_assert!(KeywordNet::load(&KEYWORD[..cut]).is_err());
        for file in [SPEAKER, SMALL] {
            let mut file = file.to_vec();
            file[2 * place] = byte;
            let _ = SpeakerNet::load(file);
        }
        prop_assert!(SpeakerNet::load(&SPEAKER[..cut]).is_err());
    }
}
