"""pymicro_peer.py RECORDING: listens for "Okay Nabu"; prints the second of each detection."""

import sys
import wave

from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

BLOCK = 1024  # as its own program reads
RATE = 16_000

detector, features = MicroWakeWord.from_builtin(Model.OKAY_NABU), MicroWakeWordFeatures()
heard = 0
with wave.open(sys.argv[1]) as recording:
    while block := recording.readframes(BLOCK):
        heard += len(block) // 2
        for feature in features.process_streaming(block):
            if detector.process_streaming(feature):
                print(f"{heard / RATE:.3f}")
                detector.reset()
