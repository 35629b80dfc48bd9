use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;
use pulp::Arch;

use super::onnx::Graph;
use super::{FBANK_BANDS, KeywordNetwork as _, MAX_STEPS, MEL_BANDS, STEP_FRAMES, SpeakerNetwork as _};
use super::{Geometry, InferenceError, KeywordNet, SpeakerBuffers, SpeakerNet, keyword, limits, speaker};
use crate::features::Frames;
use crate::features::frames::dot;

const KEYWORD: &[u8] = include_bytes!("../../models/keyword_encoder.onnx");
const SPEAKER: &[u8] = include_bytes!("../../models/speaker_encoder.onnx");
const SMALL: &[u8] = include_bytes!("../../models/small/speaker_encoder.onnx");
const KEYWORD_GEOMETRY: Geometry = Geometry { bands: 32, frames: 76, dimension: 96 };
const SPEAKER_GEOMETRY: Geometry = Geometry { bands: 80, frames: 80, dimension: 192 };

/// A file of `tests/reference`, which ONNX Runtime wrote.
fn reference(file: &str, dim: usize) -> Frames {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(file);
    let bytes = std::fs::read(path).unwrap();
    Frames::from_vec(dim, bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect())
}

fn graph(onnx: &'static [u8]) -> Graph {
    Graph::read(Bytes::from_static(onnx)).unwrap()
}

#[track_caller]
fn assert_near(ours: &[f32], theirs: &[f32], tolerance: f32, what: &str) {
    assert_eq!(ours.len(), theirs.len());
    let scale = theirs.iter().fold(1.0f32, |most, x| most.max(x.abs()));
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= tolerance * scale, "{what}: {a} is not {b}, among values up to {scale}");
    }
}

/// 1 - cosine.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Every instruction set that this machine has.
fn archs() -> Vec<Arch> {
    let mut archs = vec![Arch::new(), Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    archs.extend(pulp::x86::V3::try_new().map(Arch::V3));
    archs
}

/// The vectors of the reference frames, `steps` at a time.
fn vectors(net: &dyn super::KeywordNetwork, steps: usize) -> Frames {
    let mel = reference("logmel.f32", MEL_BANDS);
    let mut stream = net.stream(steps);
    let mel = mel.as_slice().as_chunks::<{ STEP_FRAMES * MEL_BANDS }>().0;
    let vectors = mel.chunks(steps).flat_map(|steps| stream.push(steps.as_flattened()).to_vec());
    Frames::from_vec(net.geometry().dimension, vectors.collect())
}

#[test]
fn every_instruction_set_makes_onnx_runtimes_vectors() {
    let expected = reference("vectors.f32", KEYWORD_GEOMETRY.dimension);
    for arch in archs() {
        let net = keyword::Kernels::for_arch(&graph(KEYWORD), arch).unwrap();
        assert_eq!(net.geometry(), KEYWORD_GEOMETRY);
        let one_by_one = vectors(&net, 1);
        let warm_up = net.geometry().warm_up();
        assert_eq!(one_by_one.rows(), warm_up + expected.rows());
        for (ours, theirs) in one_by_one.iter().skip(warm_up).zip(expected.iter()) {
            assert_near(ours, theirs, 1e-5, &format!("{arch:?}"));
        }
        // To the last bit, whatever comes together.
        assert!((2..=MAX_STEPS).all(|steps| vectors(&net, steps) == one_by_one), "{arch:?}");
    }
}

/// Windows of the reference filterbank, and ONNX Runtime's embeddings of them.
fn windows(expected: &str) -> Vec<(Frames, Vec<f32>)> {
    let bands = reference("fbank80.f32", FBANK_BANDS);
    let embeddings = reference(expected, SPEAKER_GEOMETRY.dimension);
    let window = |(window, theirs): (usize, &[f32])| {
        let mut frames = bands.slice(4 * window, 4 * window + SPEAKER_GEOMETRY.frames);
        frames.centre_columns();
        (frames, theirs.to_vec())
    };
    embeddings.iter().enumerate().map(window).collect()
}

#[test]
fn every_instruction_set_makes_onnx_runtimes_embeddings() {
    // The same for all, so that nothing of an embedding may stay for the next.
    let mut buffers = SpeakerBuffers::default();
    for (file, expected) in [(SPEAKER, "embeddings.f32"), (SMALL, "embeddings_small.f32")] {
        for arch in archs() {
            let net = speaker::Kernels::for_arch(&graph(file), arch).unwrap();
            assert_eq!(net.geometry(), SPEAKER_GEOMETRY);
            for (frames, theirs) in windows(expected) {
                let distance = distance(net.embed(&frames, &mut buffers), &theirs);
                assert!(distance < 2e-4, "{expected}, {arch:?}: cosine distance {distance}");
            }
        }
    }
}

#[test]
fn longer_inputs_give_the_embeddings_of_onnx_runtime() {
    let bands = reference("fbank80.f32", FBANK_BANDS);
    let expected = reference("embeddings_long.f32", SPEAKER_GEOMETRY.dimension);
    let windows = [140, 100].into_iter().flat_map(|length| [0, 4].map(|start| start..start + length));
    // One set of buffers for all lengths, so that nothing of a longer input stays for a shorter one.
    let mut buffers = SpeakerBuffers::default();
    for arch in archs() {
        let net = speaker::Kernels::for_arch(&graph(SPEAKER), arch).unwrap();
        for (window, theirs) in windows.clone().zip(expected.iter()) {
            let mut frames = bands.slice(window.start, window.end);
            frames.centre_columns();
            let distance = distance(net.embed(&frames, &mut buffers), theirs);
            assert!(distance < 2e-4, "{window:?}, {arch:?}: cosine distance {distance}");
        }
    }
}

/// `file` with the first `from` replaced.
fn patched(file: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let place = file.windows(from.len()).position(|here| here == from).unwrap();
    [&file[..place], to, &file[place + from.len()..]].concat()
}

/// Why the kernels refuse a file.
#[track_caller]
fn assert_refused<T>(file: Vec<u8>, kernels: fn(&Graph) -> Result<T, super::Unsupported>, reason: &str) {
    let error = Graph::read(file.into()).and_then(|graph| kernels(&graph)).err().unwrap().to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn the_keyword_kernels_refuse_other_graphs() {
    let refused = |file: &[u8], reason| assert_refused(file.to_vec(), keyword::Kernels::new, reason);
    let patched = |from: &[u8], to: &[u8]| patched(KEYWORD, from, to);
    refused(b"no network", "not an ONNX file");
    refused(&[], "sizes");
    refused(SPEAKER, "operation 0 is Unsqueeze");
    refused(&patched(b"\x22\x09LeakyRelu", b"\x22\x09ThinkRelu"), "operation 1 is ThinkRelu");
    refused(&patched(b"strides", b"stridex"), "operation 0 (Conv) has another stridex");
    refused(&patched(&0.2f32.to_le_bytes(), &(-0.2f32).to_le_bytes()), "another alpha");
}

#[test]
fn the_speaker_kernels_refuse_other_graphs() {
    let refused = |file: &[u8], reason| assert_refused(file.to_vec(), speaker::Kernels::new, reason);
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

#[test]
fn shipped_encoders_run_on_the_kernels() {
    let keyword = KeywordNet::load(KEYWORD, Some(KEYWORD_GEOMETRY)).unwrap();
    assert_eq!(keyword.choice.to_string(), "the kernels run it: they recognise the graph");
    for file in [SPEAKER, SMALL] {
        let speaker = SpeakerNet::load(file, Some(SPEAKER_GEOMETRY)).unwrap();
        assert_eq!(speaker.choice.runtime, super::Runtime::Kernels);
    }
}

#[test]
fn what_is_no_onnx_file_reaches_no_runtime() {
    for file in [&b"no network"[..], &KEYWORD[..KEYWORD.len() / 2]] {
        let error = KeywordNet::load(file.to_vec(), None).err().unwrap();
        assert!(matches!(error, InferenceError::File { .. }), "{error}");
        assert!(error.to_string().starts_with("keyword encoder: not an ONNX file"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn damage_breaks_no_more_than_the_file(place in 0..20_000usize, byte in any::<u8>(), cut in 0..KEYWORD.len()) {
        let read = |file: Vec<u8>| limits::check(&file).and_then(|()| Graph::read(file.into()));
        let mut file = KEYWORD.to_vec();
        file[place] = byte;
        let _ = read(file).and_then(|graph| keyword::Kernels::new(&graph));
        prop_assert!(read(KEYWORD[..cut].to_vec()).and_then(|graph| keyword::Kernels::new(&graph)).is_err());
        for file in [SPEAKER, SMALL] {
            let mut file = file.to_vec();
            file[2 * place] = byte;
            let _ = read(file).and_then(|graph| speaker::Kernels::new(&graph));
        }
        prop_assert!(read(SPEAKER[..cut].to_vec()).and_then(|graph| speaker::Kernels::new(&graph)).is_err());
    }
}

#[cfg(feature = "onnx")]
mod other_runtime {
    use prost::Message as _;
    use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

    use super::super::{Runtime, tract};
    use super::*;

    const FOREIGN: &[u8] = include_bytes!("../../tests/reference/foreign_keyword.onnx");

    #[test]
    fn both_runtimes_make_the_same_vectors() {
        let kernels = keyword::Kernels::new(&graph(KEYWORD)).unwrap();
        let other =
            tract::KeywordGraph::new(KEYWORD.into(), &graph(KEYWORD), Some(KEYWORD_GEOMETRY)).unwrap();
        assert_eq!(other.geometry(), KEYWORD_GEOMETRY);
        for steps in [1, MAX_STEPS] {
            let (ours, theirs) = (vectors(&kernels, steps), vectors(&other, steps));
            assert_eq!(ours.rows(), theirs.rows());
            // From the first on: both begin after silence.
            for (ours, theirs) in ours.iter().zip(theirs.iter()) {
                assert_near(ours, theirs, 1e-4, "kernels and tract-onnx");
            }
        }
    }

    #[test]
    fn both_runtimes_make_the_same_embeddings() {
        let mut buffers = SpeakerBuffers::default();
        for (file, expected) in [(SPEAKER, "embeddings.f32"), (SMALL, "embeddings_small.f32")] {
            let kernels = speaker::Kernels::new(&graph(file)).unwrap();
            let other = tract::SpeakerGraph::new(file.into(), &graph(file), Some(SPEAKER_GEOMETRY)).unwrap();
            for (frames, _) in windows(expected).iter().step_by(6) {
                let ours = kernels.embed(frames, &mut buffers).to_vec();
                let distance = distance(&ours, other.embed(frames, &mut buffers));
                assert!(distance < 1e-4, "cosine distance {distance}");
            }
        }
    }

    fn reshape(input: &str, shape: &str, output: &str) -> NodeProto {
        NodeProto {
            input: vec![input.into(), shape.into()],
            output: vec![output.into()],
            op_type: "Reshape".into(),
            ..NodeProto::default()
        }
    }

    fn integers(name: &str, values: &[i64]) -> TensorProto {
        TensorProto {
            name: name.into(),
            dims: vec![values.len() as i64],
            data_type: 7,
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..TensorProto::default()
        }
    }

    /// The keyword encoder in the form in which it was published: `[N,76,32,1] -> [N,1,1,96]`.
    fn published() -> Vec<u8> {
        let mut model = ModelProto::decode(KEYWORD).unwrap();
        let graph = model.graph.as_mut().unwrap();
        graph.node.insert(0, reshape("input_1", "new_shape_in", "mel"));
        graph.node.push(reshape("vectors", "new_shape_out", "conv2d_19"));
        graph.initializer.push(integers("new_shape_in", &[-1, 1, 76, 32]));
        graph.initializer.push(integers("new_shape_out", &[-1, 1, 1, 96]));
        let value = |name: &str, sizes: &[i64]| {
            use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value};
            use tract_onnx::pb::{TensorShapeProto, TypeProto, type_proto};
            let open = std::iter::once(Value::DimParam("unk__314".into()));
            let sizes = open.chain(sizes.iter().map(|size| Value::DimValue(*size)));
            let dim = sizes.map(|size| Dimension { value: Some(size), ..Dimension::default() }).collect();
            let tensor = type_proto::Tensor { elem_type: 1, shape: Some(TensorShapeProto { dim }) };
            let of = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
            ValueInfoProto { name: name.into(), r#type: Some(of), ..ValueInfoProto::default() }
        };
        graph.input = vec![value("input_1", &[76, 32, 1])];
        graph.output = vec![value("conv2d_19", &[1, 1, 96])];
        model.encode_to_vec()
    }

    #[test]
    fn the_published_keyword_encoder_runs_on_both_runtimes() {
        let file = published();
        // It states everything itself.
        let chosen = KeywordNet::load(file.clone(), None).unwrap();
        assert_eq!((chosen.choice.runtime, chosen.geometry()), (Runtime::Kernels, KEYWORD_GEOMETRY));
        let graph = Graph::read(file.clone().into()).unwrap();
        let other = tract::KeywordGraph::new(file.into(), &graph, None).unwrap();
        assert_eq!(other.geometry(), KEYWORD_GEOMETRY);
        let shipped = vectors(&keyword::Kernels::new(&self::graph(KEYWORD)).unwrap(), 1);
        assert_eq!(vectors(&*chosen, 1), shipped);
        for (ours, theirs) in shipped.iter().zip(vectors(&other, 1).iter()) {
            assert_near(ours, theirs, 1e-4, "published graph");
        }
    }

    #[test]
    fn a_graph_that_the_kernels_refuse_runs_on_tract() {
        let net = KeywordNet::load(FOREIGN, None).unwrap();
        assert_eq!(net.geometry(), Geometry { bands: 32, frames: 40, dimension: 44 });
        assert_eq!(
            net.choice.to_string(),
            "tract-onnx runs it, because the kernels cannot: operation 0 is MatMul, which this network does not have"
        );
        // One at a time or four, and after a reset, it says the same.
        let one_by_one = vectors(&*net, 1);
        assert_eq!(vectors(&*net, MAX_STEPS), one_by_one);
        let mut stream = net.stream(1);
        let steps: Vec<[f32; STEP_FRAMES * MEL_BANDS]> =
            (1..8).map(|n| [n as f32; STEP_FRAMES * MEL_BANDS]).collect();
        let push = |stream: &mut Box<dyn super::super::KeywordStream>| {
            steps.iter().flat_map(|step| stream.push(step).to_vec()).collect::<Vec<_>>()
        };
        let first = push(&mut stream);
        stream.reset();
        assert_eq!(push(&mut stream), first);
    }

    #[test]
    fn the_kernels_length_is_no_limit_for_tract() {
        let stated = Geometry { frames: 120, ..SPEAKER_GEOMETRY };
        let net = SpeakerNet::load(SMALL, Some(stated)).unwrap();
        assert_eq!((net.choice.runtime, net.geometry()), (Runtime::TractOnnx, stated));
        let mut frames = reference("fbank80.f32", FBANK_BANDS).slice(0, stated.frames);
        frames.centre_columns();
        let embedding = net.embed(&frames, &mut SpeakerBuffers::default()).to_vec();
        // The same voice, half a second longer.
        let short = SpeakerNet::load(SMALL, None).unwrap();
        let mut frames = frames.slice(0, SPEAKER_GEOMETRY.frames);
        frames.centre_columns();
        let distance = distance(&embedding, short.embed(&frames, &mut SpeakerBuffers::default()));
        assert!(distance < 0.3, "cosine distance {distance}");
    }

    #[test]
    fn manifest_and_graph_must_agree() {
        for stated in [
            Geometry { dimension: 45, ..Geometry { bands: 32, frames: 40, dimension: 44 } },
            Geometry { bands: 32, frames: 48, dimension: 44 },
        ] {
            let error = KeywordNet::load(FOREIGN, Some(stated)).err().unwrap();
            assert!(matches!(error, InferenceError::Geometry { .. }), "{error}");
            let message = error.to_string();
            assert!(message.contains("the graph turns 40 frames of 32 bands to 44 values"), "{message}");
        }
        let error = KeywordNet::load(SPEAKER, Some(SPEAKER_GEOMETRY)).err().unwrap().to_string();
        assert!(error.contains("its input is [1, ?, 80], not frames of 32 bands"), "{error}");
        let open = Geometry { frames: 100_000, ..KEYWORD_GEOMETRY };
        let error = KeywordNet::load(KEYWORD, Some(open)).err().unwrap().to_string();
        assert!(error.contains("its window is 100000 frames long"), "{error}");
    }

    #[test]
    fn a_graph_that_computes_too_much_is_refused() {
        let mut model = ModelProto::decode(FOREIGN).unwrap();
        let graph = model.graph.as_mut().unwrap();
        let output = graph.node.last_mut().unwrap();
        output.output = vec!["small".into()];
        let ints = |name: &str, ints: &[i64]| AttributeProto {
            name: name.into(),
            r#type: 7,
            ints: ints.to_vec(),
            ..AttributeProto::default()
        };
        graph.node.push(NodeProto {
            input: vec!["small".into()],
            output: vec![graph.output[0].name.clone()],
            op_type: "Pad".into(),
            attribute: vec![ints("pads", &[0, 0, 0, 1 << 40])],
            ..NodeProto::default()
        });
        model.opset_import[0].version = 9;
        let error = KeywordNet::load(model.encode_to_vec(), None).err().unwrap().to_string();
        assert!(error.contains("more than 4194304"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..<_>::default() })]

        #[test]
        fn damage_to_a_foreign_graph_breaks_no_more_than_the_file(
            place in 0..FOREIGN.len(), byte in any::<u8>(), cut in 0..FOREIGN.len(),
        ) {
            let mut file = FOREIGN.to_vec();
            file[place] = byte;
            let _ = KeywordNet::load(file, None);
            // A file that ends between two of its fields may still hold the graph.
            let _ = KeywordNet::load(&FOREIGN[..cut], None);
        }
    }
}
