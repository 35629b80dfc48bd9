#!/usr/bin/env python3
"""How far `wakeword calibrate` is from what is measured.

    python3 benches/calibration.py DATASET TASKS.tsv [RECORDING...]

DATASET and TASKS.tsv are those of `wakeword eval trials`; in the recordings nobody says a phrase. Prints the tables
of docs/calibration.md. WAKEWORD names the program (target/release/wakeword).
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
WAKEWORD = os.environ.get("WAKEWORD", REPOSITORY / "target/release/wakeword")
POINTS = ("strict", "balanced", "relaxed")
# What `calibrate` begins with: below it nothing is estimated.
LOWEST = 1.2


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def wakeword(work, threshold, *arguments):
    config = work / f"{threshold}.toml"
    config.write_text(f"[detection]\nthreshold = {threshold}\n")
    command = [WAKEWORD, "--config", config, "--store", work / "store", *arguments]
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.stdout if done.returncode in (0, 3) else None


def enrolled(work, dataset):
    """What `calibrate` expects of each task that can be enrolled, by its name."""
    expected = {}
    for task in sorted(path for path in dataset.iterdir() if path.is_dir()):
        arguments = ("enroll", task.name, "--phrase", task.name, "--from", task / "enroll")
        if wakeword(work, 1.6, *arguments) is not None:
            expected[task.name] = json.loads(wakeword(work, 1.6, "calibrate", task.name, "--json"))
    return expected


def reached(work, dataset, table, tasks):
    """The best score in each clip of each task, by kind: nothing is accepted, so that none is cut off."""
    scores = work / "scores.csv"
    wakeword(work, 5, "eval", "trials", dataset, "--table", table, "--scores", scores)
    best = defaultdict(dict)
    with open(scores, newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if row["task"] in tasks:
                clip, score = (row["kind"], row["clip"]), float(row["score"] or "-inf")
                best[row["task"]][clip] = max(score, best[row["task"]].get(clip, score))
    kinds = {task: defaultdict(list) for task in tasks}
    for task, clips in best.items():
        for (kind, _), score in clips.items():
            kinds[task][kind].append(score)
    return kinds


def share(scores, threshold):
    return mean(score >= threshold for score in scores) if scores else 0.0


def at(expected, threshold):
    return min(expected["table"], key=lambda row: abs(row["threshold"] - threshold))


def misses(expected, kinds):
    print("| threshold | missed, measured | estimated | one profile, off by (mean) | the same by the measured mean |")
    print("| --- | --- | --- | --- | --- |")
    for threshold in (1.5, 1.6, 1.7, 1.8, 2.0):
        found = {task: 1 - share(kinds[task]["pos"], threshold) for task in expected}
        told = {task: at(expected[task], threshold)["miss_rate"] for task in expected}
        middle = mean(found.values())
        off = mean(abs(found[task] - told[task]) for task in expected)
        blind = mean(abs(rate - middle) for rate in found.values())
        row = (middle, mean(told.values()), off, blind)
        print(f"| {threshold} | " + " | ".join(f"{100 * value:.1f} %" for value in row) + " |")


def others(expected, kinds):
    print("| threshold | others with the phrase accepted, measured | estimated |")
    print("| --- | --- | --- |")
    same = [score for task in expected for score in kinds[task]["same_word"]]
    for threshold in (1.2, 1.4, 1.6, 1.8):
        told = mean(at(one, threshold)["others_rate"] for one in expected.values())
        print(f"| {threshold} | {100 * share(same, threshold):.2f} % of {len(same)} | {100 * told:.2f} % |")


def points(expected, kinds):
    print("| threshold | score (misses + 9 x false alarms) | misses | false alarms |")
    print("| --- | --- | --- | --- |")

    def row(name, chosen):
        missed = mean(1 - share(kinds[task]["pos"], chosen[task]) for task in expected)
        negatives = {task: sum((s for kind, s in kinds[task].items() if kind != "pos"), []) for task in expected}
        false = mean(share(negatives[task], chosen[task]) for task in expected)
        print(f"| {name} | {missed + 9 * false:.3f} | {100 * missed:.1f} % | {100 * false:.2f} % |")

    row("1.56 for all", dict.fromkeys(expected, 1.56))
    for name in POINTS:
        chosen = {}
        for task, one in expected.items():
            [point] = [point for point in one["points"] if point["point"] == name]
            chosen[task] = point["expected"]["threshold"]
        row(f"`{name}`: {min(chosen.values()):.2f} to {max(chosen.values()):.2f}", chosen)


def false_wakes(work, expected, recordings):
    found = json.loads(wakeword(work, LOWEST, "eval", "streams", *recordings, "--json"))
    scores = [heard["score"] for one in found["recordings"] for heard in one["false_accepts"]]
    hours = found["profile_hours"]
    print(f"| threshold | false wakes an hour in {hours:.0f} profile-hours, measured | estimated |")
    print("| --- | --- | --- |")
    for threshold in (1.2, 1.4, 1.6):
        told = mean(at(one, threshold)["false_per_hour"] for one in expected.values())
        count = sum(score >= threshold for score in scores)
        print(f"| {threshold} | {count / hours:.4f} ({count}) | {told:.3f} |")


def main():
    dataset, table, *recordings = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        expected = enrolled(work, dataset)
        kinds = reached(work, dataset, table, expected)
        print(f"{len(expected)} tasks enrolled\n")
        for print_table in (misses, others, points):
            print_table(expected, kinds)
            print()
        if recordings:
            false_wakes(work, expected, recordings)


if __name__ == "__main__":
    main()
