#!/usr/bin/env python3
"""Fit how the evidence becomes one score, and say what it is worth on speakers and corpora that it was not fitted on.

usage: fit.py EVIDENCE.csv TABLE.tsv [EVIDENCE.csv TABLE.tsv ...] [--write fitted.rs] [--markdown FILE]

EVIDENCE is what `wakeword eval trials DATASET --table TABLE --near --scores EVIDENCE` writes, in any conditions. TABLE
has the columns task, corpus, owner (or speaker) and kind. The rule is a logistic regression on limited evidence with
weights that are never negative. A false alarm costs nine misses: each task's misses and false alarms count as the
Auto-KWS score counts them. Of each clip its best candidate counts. Needs numpy and scipy.
"""
import argparse
import collections
import csv
import pathlib
import sys

import numpy as np
from scipy.optimize import minimize

# Steps of the score in natural log odds, and the threshold at which the odds are even.
LOG_ODDS, THRESHOLD = 7.0, 1.56
# From where on each piece of evidence counts, or counts no more. Those of the phrase's voice, of the segments and of short
# phrases, and CONDITIONS below, were chosen among a few values on the development tables with speakers left out, so
# figures on those tables flatter a little; the others come from an earlier study.
LIMITS = {
    "cepstral_limit": 0.8,
    "cosine_limit": 0.6,
    "noise_limit": 0.32,
    "pitch_limit": 0.03,
    "pitch_seconds": 0.6,
    "phrase_voice_limit": 0.65,
    "phrase_voice_noise": 0.12,
    "segment_limit": 0.05,
    "near_keyword_limit": 0.1,
    "near_cepstral_limit": 0.05,
    "short_seconds": 0.65,
}
NOISE_SLOPE, QUIET_DB, NOISY_DB, NOISY_RANGE_DB = 0.28, 28.0, 20.0, 8.0
# The weights, in the order of the columns of `features`.
WEIGHTS = ["keyword", "cepstral", "cosine", "noise", "pitch", "phrase_voice", "segment", "near_keyword", "near_cepstral", "short"]
FALSE_ALARM = 9.0
# How much a condition counts: people speak in quiet rooms most of the time. Others count as rooms do.
CONDITIONS = {"clean": 3.0, "10 dB": 1.5}
ROOMS = 0.5
RIDGE = 1e-5
FOLDS = 10


def number(row, name):
    return float(row[name]) if row.get(name) else np.nan


def features(row):
    """One line a candidate; the rule's terms before their weights."""
    limit = LIMITS
    lack = lambda measured, most: -np.fmax(0.0, most - measured) if measured == measured else 0.0
    snr = number(row, "snr_db")
    noise = min(NOISE_SLOPE * max(0.0, QUIET_DB - snr) / 10.0, limit["noise_limit"])
    noisy = min(max((NOISY_DB - snr) / NOISY_RANGE_DB, 0.0), 1.0)
    seconds = number(row, "phrase_s")
    cosine = number(row, "speaker_cosine")
    return [
        number(row, "keyword_score"),
        min(number(row, "cepstral_score"), limit["cepstral_limit"]),
        min(cosine, limit["cosine_limit"]) if cosine == cosine else 0.0,
        noise,
        min(1.0, limit["pitch_seconds"] / seconds) * lack(-number(row, "pitch_deviation"), -limit["pitch_limit"]),
        lack(number(row, "phrase_cosine"), limit["phrase_voice_limit"] - limit["phrase_voice_noise"] * noisy),
        lack(-number(row, "segment_excess"), -limit["segment_limit"]),
        lack(number(row, "near_keyword_margin"), limit["near_keyword_limit"]),
        lack(number(row, "near_cepstral_margin"), limit["near_cepstral_limit"]),
        -max(0.0, limit["short_seconds"] - seconds),
    ]


class Clips:
    """Clips, with the candidates in each."""

    def __init__(self, pairs):
        self.clips, self.owner, values = {}, [], []
        for evidence, table in pairs:
            with open(table, encoding="utf-8-sig", newline="") as lines:
                corpus = {row["task"]: row["corpus"] for row in csv.DictReader(lines, delimiter="\t")}
            with open(evidence, encoding="utf-8", newline="") as lines:
                for row in csv.DictReader(lines):
                    key = (table, row["condition"], row["task"], row["clip"])
                    index = self.clips.setdefault(key, (len(self.clips), row, corpus[row["task"]]))[0]
                    if row["keyword_score"]:
                        values.append(features(row))
                        self.owner.append(index)
        rows = [row for _, row, _ in self.clips.values()]
        self.owner, self.values = np.array(self.owner), np.array(values)
        self.positive = np.array([row["kind"] == "pos" for row in rows])
        self.kind = [row["kind"] for row in rows]
        self.speaker = np.array([row.get("owner") or row["speaker"] for row in rows])
        self.corpus = np.array([corpus for _, _, corpus in self.clips.values()])
        self.table = [pathlib.Path(table).stem for table, *_ in self.clips]
        self.condition = [condition for _, condition, *_ in self.clips]
        self.task = [(condition, task) for _, condition, task, _ in self.clips]
        self.accepted = np.array([row["accepted"] == "1" for row in rows])
        count = collections.Counter(zip(self.task, self.positive))
        cost = np.where(self.positive, 1.0, FALSE_ALARM)
        share = [CONDITIONS.get(condition, ROOMS) for condition in self.condition]
        keys = zip(self.task, self.positive)
        self.weight = np.array([s * c / count[key] for s, c, key in zip(share, cost, keys)])

    def best(self, scores):
        """The candidate with the highest score of each clip; -1 for clips without any."""
        order = np.lexsort((scores, self.owner))
        best = np.full(len(self.positive), -1)
        best[self.owner[order]] = order
        return best

    def scores(self, weights):
        """The highest score of each clip, minus infinity without a candidate."""
        scores = np.full(len(self.positive), -np.inf)
        np.maximum.at(scores, self.owner, self.values @ weights[:-1] + weights[-1])
        return scores

    def fit(self, chosen):
        """Weights and constant that cost least on the chosen clips."""
        weights = np.r_[np.full(len(WEIGHTS), 2.0), -3.0]
        for _ in range(5):
            best = self.best(self.values @ weights[:-1] + weights[-1])
            used = chosen & (best >= 0)
            x, sign = self.values[best[used]], np.where(self.positive[used], 1.0, -1.0)
            cost = self.weight[used] / self.weight[chosen].sum()

            def loss(w):
                margin = sign * (x @ w[:-1] + w[-1])
                slope = -cost * sign / (1.0 + np.exp(margin))
                ridge = RIDGE * (w[:-1] ** 2).sum()
                return (cost * np.logaddexp(0, -margin)).sum() + ridge, np.r_[
                    x.T @ slope + 2 * RIDGE * w[:-1], slope.sum()
                ]

            bounds = [(0, None)] * len(WEIGHTS) + [(None, None)]
            weights = minimize(loss, weights, jac=True, method="L-BFGS-B", bounds=bounds).x
        return weights

    def left_out(self, groups):
        """Decisions on the clips of each group by weights fitted on the others."""
        accepted = np.zeros(len(self.positive), bool)
        for group in groups:
            accepted[group] = self.scores(self.fit(~group))[group] >= 0
        return accepted

    def rows(self, accepted):
        """(table, condition, score, low, high, misses, false alarms, by kind) of decisions."""
        for key in dict.fromkeys(zip(self.table, self.condition)):
            chosen = np.array([pair == key for pair in zip(self.table, self.condition)])
            tasks = collections.defaultdict(list)
            for index in np.flatnonzero(chosen):
                tasks[self.task[index]].append(index)
            rate = lambda some: float(np.mean(some)) if len(some) else 0.0
            by_task = []
            for indices in tasks.values():
                indices = np.array(indices)
                positive = self.positive[indices]
                miss, alarm = rate(~accepted[indices[positive]]), rate(accepted[indices[~positive]])
                by_task.append((self.speaker[indices[0]], miss + FALSE_ALARM * alarm, miss, alarm))
            kinds = {
                kind: rate([accepted[i] for i in np.flatnonzero(chosen) if self.kind[i] == kind])
                for kind in sorted({self.kind[i] for i in np.flatnonzero(chosen)} - {"pos"})
            }
            means = [float(np.mean([task[part] for task in by_task])) for part in (1, 2, 3)]
            yield (*key, *means, *interval(by_task), kinds)


def interval(by_task, draws=2000):
    """95 % interval of the mean score, by bootstrap over speakers."""
    speakers = collections.defaultdict(list)
    for speaker, score, *_ in by_task:
        speakers[speaker].append(score)
    names, random = list(speakers), np.random.default_rng(1)
    means = [np.mean(sum((speakers[names[i]] for i in random.integers(0, len(names), len(names))), [])) for _ in range(draws)]
    return tuple(np.quantile(means, [0.025, 0.975]))


def source(weights):
    """The Rust file of the constants."""
    score = dict(zip(WEIGHTS, weights[:-1] / LOG_ODDS))
    score["constant"] = THRESHOLD + weights[-1] / LOG_ODDS
    score["noise"], score["noise_limit"] = score["noise"] * NOISE_SLOPE, score["noise"] * LIMITS["noise_limit"]
    values = {**{k: v for k, v in LIMITS.items() if k != "noise_limit"}, **score}
    lines = "".join(f"    {name}: {value:.3f},\n" for name, value in sorted(values.items()))
    return (
        "//! Written by `models/fit/fit.py --write`, which says how; docs/accuracy.md says on what and how well it does.\n\n"
        "use super::weights::Fusion;\n\n/// Weights and limits for the built-in encoders.\n"
        f"pub const FITTED: Fusion = Fusion {{\n{lines}}};\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    options = parser.parse_args()
    if len(options.files) % 2:
        sys.exit("fit.py: give an evidence file and its table, in pairs")
    clips = Clips(zip(options.files[::2], options.files[1::2]))
    names = sorted(set(clips.speaker))
    by_speaker = [np.isin(clips.speaker, names[fold::FOLDS]) for fold in range(min(FOLDS, len(names)))]
    by_corpus = [clips.corpus == corpus for corpus in sorted(set(clips.corpus))]
    ways = {"as shipped": clips.accepted, "speakers left out": clips.left_out(by_speaker)}
    if len(by_corpus) > 1:
        ways["corpora left out"] = clips.left_out(by_corpus)
    lines = ["| recordings | condition | rule | score | misses | false alarms | by kind of negative |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for way, accepted in ways.items():
        for table, condition, score, miss, alarm, low, high, kinds in clips.rows(accepted):
            by_kind = ", ".join(f"{kind} {100 * rate:.1f} %" for kind, rate in kinds.items())
            lines.append(f"| {table} | {condition} | {way} | {score:.3f} ({low:.3f} to {high:.3f}) | {100 * miss:.1f} % | {100 * alarm:.2f} % | {by_kind} |")
    print("\n".join(lines))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if options.write:
        weights = clips.fit(np.ones(len(clips.positive), bool))
        print({name: round(float(weight), 2) for name, weight in zip(WEIGHTS + ["constant"], weights)}, file=sys.stderr)
        options.write.write_text(source(weights), encoding="utf-8")


if __name__ == "__main__":
    main()
