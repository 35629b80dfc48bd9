#!/usr/bin/env python3
"""Makes the cues of the enrolment beside this file, always the same to the byte; needs nothing but Python.

A cue is two tones, soft at the edges: up for `ready`, down for `again`, up and far for `done`.
"""
import math
import struct
import wave
from pathlib import Path

RATE = 16_000
SECONDS = 0.09
EDGE = 0.015
LEVEL = 0.2
CUES = {"ready": (659, 880), "again": (440, 330), "done": (659, 1319)}

for name, tones in CUES.items():
    samples = []
    for tone in tones:
        count = int(SECONDS * RATE)
        for n in range(count):
            edge = min(n, count - n) / (EDGE * RATE)
            soft = 0.5 - 0.5 * math.cos(math.pi * min(1.0, edge))
            samples.append(LEVEL * soft * math.sin(2 * math.pi * tone * n / RATE))
    with wave.open(str(Path(__file__).with_name(f"{name}.wav")), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", round(32767 * sample)) for sample in samples))
