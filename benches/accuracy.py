#!/usr/bin/env python3
"""Measure the error rates on people who took no part in the fit, and write them down.

usage: accuracy.py DATA WORK [--tables NAME ...] [--parts quiet,rooms] [--jobs N] [--markdown FILE]

DATA holds the tables NAME.tsv (task, corpus, speaker or owner, word, kind, name, clip), clips/, noises/ and rooms/. WORK
gets the tasks in the layout of the Auto-KWS challenge, and what `wakeword eval trials` writes of them:

  quiet    as recorded, at 10 dB in DATA/noises, in a simulated room of 0.6 s and over the telephone
  rooms    as recorded, played in the measured rooms of DATA/rooms

Two recordings of one near word of the owner are taken from the trials of each task that has some, and taught with --near.
Everything that is fitted is fitted without the speakers, and then without the corpora, that are judged:
`models/fit/fit.py`. Needs numpy, scipy, soundfile, ffmpeg for Opus, and `target/release/wakeword`.
"""
import argparse
import collections
import csv
import hashlib
import pathlib
import random
import shutil
import subprocess
import sys

import numpy as np
import scipy.signal
import soundfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
RATE = 16_000
TABLES = ["tasks", "tasks-more", "tasks-digits", "tasks-emotions"]
NEAR_WORDS = 2
# What `--markdown FILE` replaces lies between these lines of the file.
BEGIN, END = "<!-- benches/accuracy.py writes what follows -->", "<!-- to here -->"


def read(path):
    """Mono samples at 16 kHz."""
    if path.suffix == ".opus":
        command = ["ffmpeg", "-loglevel", "error", "-i", path, "-ar", str(RATE), "-ac", "1", "-f", "f32le", "-"]
        return np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.float32)
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    samples = samples.mean(1)
    if rate == RATE:
        return samples
    divisor = np.gcd(rate, RATE)
    return scipy.signal.resample_poly(samples, RATE // divisor, rate // divisor).astype(np.float32)


def write(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(samples, -1, 1), RATE, subtype="PCM_16")


def lay_out(data, table, work):
    """The tasks of a table; near words that are taught leave the trials."""
    with open(data / f"{table}.tsv", encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    words = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in rows:
        if row["kind"] == "near_word":
            words[row["task"]][row["word"]].append(row)
    taught = set()
    for task, by_word in words.items():
        most = max(sorted(by_word), key=lambda word: len(by_word[word]))
        chosen = random.Random(task).sample(by_word[most], min(NEAR_WORDS, len(by_word[most])))
        taught |= {(task, row["name"]) for row in chosen}
    kept = []
    for row in rows:
        near = (row["task"], row["name"]) in taught
        part = "near" if near else "enroll" if row["kind"] == "enroll" else "test"
        write(work / table / row["task"] / part / row["name"], read(data / "clips" / row["clip"]))
        if not near:
            kept.append({name: row.get(name) or row.get("speaker") for name in ("task", "corpus", "owner", "kind", "name")})
    save(work / f"{table}.tsv", kept)


def save(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def play_in_rooms(data, table, work):
    """The same tasks with each trial played in one of the measured rooms, chosen by its name."""
    rooms = sorted((data / "rooms").glob("*.flac"))
    responses = [read(room) for room in rooms]
    for folder in sorted(path for path in (work / table).iterdir() if path.is_dir()):
        for part in ("enroll", "near"):
            if (folder / part).is_dir():
                shutil.copytree(folder / part, work / f"{table} in measured rooms" / folder.name / part, dirs_exist_ok=True)
        for clip in (folder / "test").iterdir():
            digest = hashlib.sha256(f"{folder.name}/{clip.name}".encode()).digest()
            response = responses[int.from_bytes(digest[:8], "big") % len(rooms)]
            direct = int(np.abs(response).argmax())
            samples = read(clip)
            wet = scipy.signal.fftconvolve(samples, response)[direct:][: len(samples)]
            wet *= np.sqrt((samples**2).mean() / max((wet**2).mean(), 1e-12))
            write(work / f"{table} in measured rooms" / folder.name / "test" / clip.name, wet)
    shutil.copy(work / f"{table}.tsv", work / f"{table} in measured rooms.tsv")


def measure(work, table, jobs, arguments):
    """What the program makes of the tasks of a table."""
    evidence = work / f"{table}.csv"
    command = [ROOT / "target/release/wakeword", "eval", "trials", work / table, "--table", work / f"{table}.tsv"]
    command += ["--near", "--jobs", str(jobs), "--scores", evidence, *arguments]
    print(*command, file=sys.stderr)
    # 3: some recordings could not be used, such as a near word that is the phrase; the program has named them.
    status = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
    if status not in (0, 3):
        sys.exit(f"wakeword ended with status {status}")
    return [evidence, work / f"{table}.tsv"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--parts", default="quiet,rooms")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--markdown", type=pathlib.Path)
    options = parser.parse_args()
    data, work, parts = options.data, options.work, options.parts.split(",")
    for bed in sorted((data / "noises").iterdir()):
        write(work / "noises" / f"{bed.stem}.wav", read(bed))
    pairs = []
    for table in options.tables:
        if not (work / f"{table}.tsv").exists():
            lay_out(data, table, work)
        if "quiet" in parts:
            conditions = ["--noise", work / "noises", "--snr", "10", "--reverb", "0.6", "--telephone"]
            pairs += measure(work, table, options.jobs, conditions)
        if "rooms" in parts:
            play_in_rooms(data, table, work)
            pairs += measure(work, f"{table} in measured rooms", options.jobs, [])
    table = work / "table.md"
    subprocess.run([sys.executable, ROOT / "models/fit/fit.py", *pairs, "--markdown", table], check=True)
    if options.markdown:
        before, rest = options.markdown.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
        text = before + BEGIN + "\n" + table.read_text(encoding="utf-8") + END + after
        options.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
