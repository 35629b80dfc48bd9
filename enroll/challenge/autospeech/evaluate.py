"""Runs model.py as AutoSpeech 2019 does, and prints the area under its learning curve.

    WAKEWORD=target/release/wakeword python3 enroll/challenge/autospeech/evaluate.py CLIPS.tsv FOLDER [BUDGET_S]

CLIPS.tsv is tab-separated with the columns file, label and speaker; FOLDER holds the files (16 kHz, WAV or FLAC, which
the package soundfile reads). Speakers are the classes. Of each, the words are halved by their order: the first half
trains, the second is asked for; 20 clips of each at most, 8 speakers at most. The score of an answer is 2 x AUC - 1,
mean over classes, from the moment it is there; time t counts as log(1 + t / 60) / log(1 + BUDGET / 60).
"""
import csv
import math
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile

from model import Model

SPEAKERS, CLIPS = 8, 20


def chosen(table):
    """{speaker: (files to train on, files to ask for)}"""
    words = defaultdict(lambda: defaultdict(list))
    with open(table, encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            words[row["speaker"]][row["label"]].append(row["file"])
    sets = {}
    for speaker, by_word in sorted(words.items()):
        order = sorted(by_word)
        # Round the words, so that each is there as often.
        spread = lambda part: [file for round in zip(*(sorted(by_word[word]) for word in part)) for file in round]
        halves = spread(order[: len(order) // 2]), spread(order[len(order) // 2 :])
        if all(len(half) >= CLIPS for half in halves):
            sets[speaker] = tuple(half[:CLIPS] for half in halves)
    return dict(list(sets.items())[:SPEAKERS])


def area_under_roc(scores, positive):
    """By ranks; ties count half."""
    order = np.unique(scores, return_inverse=True)[1]
    counts = np.bincount(order)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[order]
    good, bad = positive.sum(), (~positive).sum()
    return (ranks[positive].sum() - good * (good + 1) / 2) / (good * bad)


def main():
    table, folder = sys.argv[1:3]
    budget = float(sys.argv[3]) if len(sys.argv) > 3 else 1800.0
    sets = chosen(table)
    read = lambda file: soundfile.read(Path(folder) / file, dtype="float32")[0]
    train = [(read(file), n) for n, (files, _) in enumerate(sets.values()) for file in files]
    test = [(read(file), n) for n, (_, files) in enumerate(sets.values()) for file in files]
    labels = np.array([n for _, n in test])
    targets = np.eye(len(sets))[[n for _, n in train]]
    model = Model({"class_num": len(sets), "train_num": len(train), "test_num": len(test), "time_budget": budget})
    began, area, before, score = time.monotonic(), 0.0, 0.0, 0.0
    while not model.done_training:
        left = budget - (time.monotonic() - began)
        model.train(([clip for clip, _ in train], targets), remaining_time_budget=left)
        answer = model.test([clip for clip, _ in test], remaining_time_budget=left)
        seconds = time.monotonic() - began
        now = math.log1p(seconds / 60) / math.log1p(budget / 60)
        area, before = area + score * (now - before), now
        score = 2 * np.mean([area_under_roc(answer[:, n], labels == n) for n in range(len(sets))]) - 1
        right = (answer.argmax(axis=1) == labels).mean()
        print(f"answer after {seconds:5.1f} s: 2 AUC - 1 = {score:.4f}, {100 * right:.1f} % of the clips right")
    area += score * (1 - before)
    print(f"{len(sets)} speakers, {len(train)} + {len(test)} clips; area under the learning curve {area:.4f}")


if __name__ == "__main__":
    main()
