use proptest::prelude::*;
use pulp::Arch;
use tract_onnx::prelude::*;

use super::{KeywordNet, MEL_BANDS, PULSE, VECTOR_DIM, WARM_UP};

const FILE: &[u8] = include_bytes!("../../models/keyword_encoder.onnx");
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

/// The vectors that tract makes of the same file, `[96]` each.
fn by_tract(mel: &[f32]) -> Vec<Vec<f32>> {
    let mut file = FILE;
    let mut model = tract_onnx::onnx().with_ignore_value_info(true).model_for_read(&mut file).unwrap();
    let shape = [1, 1, PULSES * PULSE, MEL_BANDS];
    model.set_input_fact(0, f32::fact(shape).into()).unwrap();
    let plan = model.into_optimized().unwrap().into_runnable().unwrap();
    let output = plan.run(tvec!(Tensor::from_shape(&shape, mel).unwrap().into_tvalue())).unwrap();
    let values = output[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap();
    let vectors = values.len() / VECTOR_DIM;
    (0..vectors).map(|n| (0..VECTOR_DIM).map(|c| values[c * vectors + n]).collect()).collect()
}

#[test]
fn no_instruction_set_makes_other_vectors_than_tract() {
    let mel = mel();
    let expected = by_tract(&mel);
    assert_eq!(expected.len(), PULSES - WARM_UP);
    for arch in [Arch::new(), Arch::Scalar] {
        let mut stream = KeywordNet::for_arch(FILE, arch).unwrap().stream();
        let vectors: Vec<Vec<f32>> =
            mel.chunks_exact(PULSE * MEL_BANDS).map(|pulse| stream.push(pulse).to_vec()).collect();
        for (ours, theirs) in vectors[WARM_UP..].iter().zip(&expected) {
            let scale = theirs.iter().fold(1.0f32, |most, x| most.max(x.abs()));
            for (a, b) in ours.iter().zip(theirs) {
                assert!(
                    (a - b).abs() <= 1e-5 * scale,
                    "{arch:?}: {a} is not {b}, among values up to {scale}"
                );
            }
        }
    }
}

/// The file with the first `from` replaced.
fn patched(from: &[u8], to: &[u8]) -> Vec<u8> {
    let place = FILE.windows(from.len()).position(|here| here == from).unwrap();
    [&FILE[..place], to, &FILE[place + from.len()..]].concat()
}

#[track_caller]
fn assert_refused(file: &[u8], reason: &str) {
    let error = KeywordNet::load(file).err().unwrap().to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn a_foreign_network_is_never_run_as_if_it_were_ours() {
    assert_refused(b"no network", "not an ONNX file");
    assert_refused(&[], "sizes");
    assert_refused(&patched(b"\x22\x09LeakyRelu", b"\x22\x09ThinkRelu"), "operation 1 is ThinkRelu");
    assert_refused(&patched(b"strides", b"stridex"), "operation 0 (Conv) has another stridex");
    assert_refused(&patched(&0.2f32.to_le_bytes(), &(-0.2f32).to_le_bytes()), "another alpha");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn no_damage_breaks_more_than_the_file(place in 0..20_000usize, byte in any::<u8>(), cut in 0..FILE.len()) {
        let mut file = FILE.to_vec();
        file[place] = byte;
        let _ = KeywordNet::load(&file);
        prop_assert!(KeywordNet::load(&FILE[..cut]).is_err());
    }
}
