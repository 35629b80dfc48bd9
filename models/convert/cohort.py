#!/usr/bin/env python3
"""Rebuild models/cohort.bin and its entry in models/manifest.toml.

usage: cohort.py RECORDING.wav CUES.tsv        (from the repository root, after make build)

RECORDING is 16 kHz speech of many readers under a permissive licence; CUES names its parts (start and
duration in seconds, tab-separated, one row a reader). Each part becomes a recording of its own for
`wakeword models cohort`, which says what is kept of it.
"""
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import wave

MODELS = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = MODELS.parent / "target/release/wakeword"
ENCODER = "keyword_encoder.onnx"


def sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def split(recording: str, cues: str, folder: pathlib.Path) -> None:
    """Writes the rows of `cues` as files that sort like the rows."""
    with wave.open(recording) as whole:
        rate = whole.getframerate()
        for row, line in enumerate(pathlib.Path(cues).read_text().splitlines()):
            try:
                start, duration = (float(field) for field in line.split("\t")[:2])
            except ValueError:
                continue
            first, last = int(start * rate), int((start + duration) * rate)
            whole.setpos(first)
            with wave.open(str(folder / f"{row:05}.wav"), "wb") as part:
                part.setparams(whole.getparams())
                part.writeframes(whole.readframes(last - first))


def main(recording: str, cues: str) -> None:
    encoder = sha256(MODELS / ENCODER)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copy(MODELS / ENCODER, folder)
        geometry = re.search(r"\[model.geometry\][^[]*", (MODELS / "manifest.toml").read_text())[0]
        entry = f'[[model]]\nrole = "keyword_encoder"\nfile = "{ENCODER}"\nsha256 = "{encoder}"\n'
        (folder / "manifest.toml").write_text(entry + geometry)
        speech = folder / "speech"
        speech.mkdir()
        split(recording, cues, speech)
        subprocess.run([PROGRAM, "models", "cohort", "--folder", folder, "--from", speech], check=True)
        shutil.copy(folder / "cohort.bin", MODELS)
    data = MODELS / "cohort.bin"
    manifest = MODELS / "manifest.toml"
    fields = re.compile(r'(file = "cohort.bin"\n)sha256 = "\w*"\nbytes = \d+\nencoder = "\w*"')
    entry = rf'\1sha256 = "{sha256(data)}"\nbytes = {data.stat().st_size}\nencoder = "{encoder}"'
    text, found = fields.subn(entry, manifest.read_text())
    if found != 1:
        sys.exit(f"{manifest}: no entry for cohort.bin")
    manifest.write_text(text)
    print(f"{sha256(data)}  cohort.bin")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
