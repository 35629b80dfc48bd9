"""Small encoders that are not ours, for the tests of models in general: no training, no packages.

    python tests/reference/foreign.py

`foreign_keyword.onnx` turns 40 log-mel frames into their low two-dimensional cosine coefficients, squashed: mel
[1,40,32] -> 44 values. `foreign_speaker.onnx` turns 100 filterbank frames into the logarithmic spread of their cepstra
over time: fbank [N,100,80] -> 36 values.
"""

import math
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLOAT, INT64 = 1, 7


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def part(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(name, dims, kind, values):
    data = struct.pack(f"<{len(values)}{'f' if kind == FLOAT else 'q'}", *values)
    sizes = b"".join(number(1, size) for size in dims)
    return part(5, sizes + number(2, kind) + part(8, name) + part(9, data))


def integers(name, values):
    return part(5, part(1, name) + b"".join(number(8, value) for value in values) + number(20, 7))


def node(operator, inputs, output, *attributes):
    names = b"".join(part(1, name) for name in inputs) + part(2, output)
    return part(1, names + part(4, operator) + b"".join(attributes))


def value(field, name, shape):
    """A size may be a name: it is open."""
    sizes = [part(2, size) if isinstance(size, str) else number(1, size) for size in shape]
    shape = part(2, b"".join(part(1, size) for size in sizes))
    return part(field, part(1, name) + part(2, part(1, number(1, FLOAT) + shape)))


def write(name, nodes, constants, source, target):
    graph = b"".join(nodes) + part(2, name) + b"".join(constants) + value(11, *source) + value(12, *target)
    model = number(1, 7) + part(2, "tests") + part(7, graph) + part(8, part(1, "") + number(2, 13))
    (HERE / f"{name}.onnx").write_bytes(model)
    print(f"{name}.onnx: {len(model)} bytes")


def cosines(points, coefficients, gain):
    """[points, coefficients] of an orthonormal cosine transform."""
    scale = gain * math.sqrt(2 / points)
    return [
        scale * math.cos(math.pi * k * (n + 0.5) / points) for n in range(points) for k in coefficients
    ]


def keyword():
    frames, bands, across, along = 40, 32, range(1, 12), range(4)
    dimension = len(across) * len(along)
    nodes = [
        node("MatMul", ["mel", "across"], "cepstra"),
        node("Transpose", ["cepstra"], "tracks", integers("perm", [0, 2, 1])),
        node("MatMul", ["tracks", "along"], "coefficients"),
        node("Reshape", ["coefficients", "shape"], "flat"),
        node("Tanh", ["flat"], "vector"),
    ]
    constants = [
        tensor("across", [bands, len(across)], FLOAT, cosines(bands, across, 1)),
        tensor("along", [frames, len(along)], FLOAT, cosines(frames, along, 0.1)),
        tensor("shape", [2], INT64, [1, dimension]),
    ]
    write("foreign_keyword", nodes, constants, ("mel", [1, frames, bands]), ("vector", [1, dimension]))


def speaker():
    frames, bands, across = 100, 80, range(1, 37)
    nodes = [
        node("MatMul", ["fbank", "across"], "cepstra"),
        node("Mul", ["cepstra", "cepstra"], "squares"),
        node("ReduceMean", ["squares"], "spread", integers("axes", [1])),
        node("Add", ["spread", "floor"], "raised"),
        node("Log", ["raised"], "levels"),
        node("Sub", ["levels", "usual"], "embedding"),
    ]
    usual = [2.0 - 0.05 * k for k in across]
    constants = [
        tensor("across", [bands, len(across)], FLOAT, cosines(bands, across, 1)),
        tensor("floor", [1], FLOAT, [0.01]),
        tensor("usual", [len(across)], FLOAT, usual),
    ]
    source, target = ("fbank", ["N", frames, bands]), ("embedding", ["N", 1, len(across)])
    write("foreign_speaker", nodes, constants, source, target)


if __name__ == "__main__":
    keyword()
    speaker()
