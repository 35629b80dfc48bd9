#!/usr/bin/env python3
"""Rebuild models/cohort.bin and its entry in models/manifest.toml.

usage: cohort.py RECORDING.wav CUES.tsv        (from the repository root)

RECORDING is 16 kHz speech of many readers under a permissive licence; CUES names its parts (start and
duration in seconds, tab-separated, one row a reader). Only features are kept: no audio can be restored
from centred, length-normalised vectors of 40 stretches shorter than a second.
"""
import hashlib
import pathlib
import re
import subprocess
import sys

MODELS = pathlib.Path(__file__).resolve().parent.parent
MEMBERS = 40


def main(recording: str, cues: str) -> None:
    out = MODELS / "cohort.bin"
    encoder = MODELS / "keyword_encoder.onnx"
    # The program embeds the cohort, so the example that builds it needs some file to be there.
    out.touch()
    example = ["cargo", "run", "--release", "--example", "build_cohort", "--"]
    subprocess.run([*example, encoder, str(MEMBERS), out, recording, cues], check=True)
    data = out.read_bytes()
    manifest = MODELS / "manifest.toml"
    entry = re.compile(r'(file = "cohort.bin"\n)sha256 = "\w*"\nbytes = \d+')
    digest = hashlib.sha256(data).hexdigest()
    text, found = entry.subn(rf'\1sha256 = "{digest}"\nbytes = {len(data)}', manifest.read_text())
    if found != 1:
        sys.exit(f"{manifest}: no entry for cohort.bin")
    manifest.write_text(text)
    print(f"{digest}  cohort.bin")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
