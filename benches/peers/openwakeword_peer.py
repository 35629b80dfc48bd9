"""openwakeword_peer.py RECORDING: listens for "Alexa"; prints the second of each detection."""

import sys
import wave
from pathlib import Path

import numpy
import openwakeword

BLOCK = 1280  # 80 ms, as its documentation asks for
RATE = 16_000
THRESHOLD = 0.5  # as its examples

models = Path(openwakeword.__file__).parent / "resources" / "models"
detector = openwakeword.Model(wakeword_models=[str(models / "alexa_v0.1.onnx")], inference_framework="onnx")
heard, above = 0, False
with wave.open(sys.argv[1]) as recording:
    while len(block := recording.readframes(BLOCK)) == 2 * BLOCK:
        heard += BLOCK
        scores = detector.predict(numpy.frombuffer(block, numpy.int16))
        before, above = above, max(scores.values()) >= THRESHOLD
        if above and not before:
            print(f"{heard / RATE:.3f}")
