"""AutoSpeech 2019: who or what is speaking, from the embeddings of `wakeword speakers embed`.

The first answer compares every clip with the mean of each class; the second comes from a regularised linear
classifier. Then there is nothing left to gain. Needs numpy, and the program: $WAKEWORD, beside this file, or on
PATH.
"""
import io
import os
import shutil
import subprocess

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
# Wanted in hand, in seconds, before more than the class means is tried.
RESERVE = 2.0
# Share of the pooled spread that is taken to be the same in all directions.
SHRINKAGE = 0.3
# Standard deviation of the scores before they become probabilities: any more, and small ones would all be 0.
SHARPNESS = 3.0


def program():
    """The wakeword program."""
    beside = os.path.join(HERE, "wakeword")
    found = os.environ.get("WAKEWORD") or (beside if os.access(beside, os.X_OK) else shutil.which("wakeword"))
    if not found:
        raise FileNotFoundError("no wakeword program in $WAKEWORD, beside model.py or on PATH")
    return found


def embed(clips):
    """Embeddings [clips, 192]; a clip without sound is a row of zeros."""
    framed = io.BytesIO()
    for clip in clips:
        samples = np.asarray(clip, dtype="<f4").reshape(-1)
        framed.write(np.uint32(len(samples)).astype("<u4").tobytes())
        framed.write(samples.tobytes())
    command = [program(), "--config", os.devnull, "speakers", "embed", "-", "--npy", "-"]
    done = subprocess.run(command, input=framed.getbuffer(), stdout=subprocess.PIPE, check=True)
    return np.load(io.BytesIO(done.stdout))


def softmax(scores):
    """Rows that sum to one, from scores of any scale."""
    scores = SHARPNESS * scores / max(scores.std(), 1e-9)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def means(vectors, labels, classes):
    """The mean vector of each class; zeros for a class without any clip."""
    out = np.zeros((classes, vectors.shape[1]))
    for number in np.unique(labels):
        out[number] = vectors[labels == number].mean(axis=0)
    return out


def cosines(vectors, labels, classes, unseen):
    """Scores of `unseen` against the class means."""
    centres = means(vectors, labels, classes)
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
    return unseen @ centres.T


def discriminant(vectors, labels, classes, unseen):
    """Scores of `unseen` by linear discriminants, whose common spread is shrunk towards a sphere."""
    centres = means(vectors, labels, classes)
    spread = np.cov((vectors - centres[labels]).T, bias=True)
    size = max(np.trace(spread) / len(spread), 1e-4)
    spread = (1 - SHRINKAGE) * spread + SHRINKAGE * size * np.eye(len(spread))
    weights = np.linalg.solve(spread, centres.T)
    scores = unseen @ weights - 0.5 * np.sum(centres.T * weights, axis=0)
    # A class that no clip shows must not win for being in the middle.
    scores[:, ~np.isin(np.arange(classes), labels)] = scores.min()
    return scores


class Model:
    """What the programs of AutoSpeech call: train, test, train, test, until `done_training`."""

    def __init__(self, metadata):
        self.metadata = metadata
        self.done_training = False
        self.rounds = 0
        self.vectors = self.labels = self.unseen = None

    def train(self, train_dataset, remaining_time_budget=None):
        """Hears the training clips; from the second time on there is nothing new in them."""
        self.budget = remaining_time_budget
        if self.vectors is None:
            clips, targets = train_dataset
            vectors, targets = embed(clips), np.asarray(targets)
            # Neither silence nor a clip without a class teaches anything.
            good = vectors.any(axis=1) & (targets.max(axis=1) > 0)
            self.vectors, self.labels = vectors[good].astype(float), targets.argmax(axis=1)[good]
        self.rounds += 1

    def test(self, test_x, remaining_time_budget=None):
        """The probability of every class for every clip, [clips, classes]."""
        if self.unseen is None:
            self.unseen = embed(test_x).astype(float)
        classes = int(self.metadata["class_num"])
        answer = cosines if self.rounds < 2 else discriminant
        budget = self.budget if remaining_time_budget is None else remaining_time_budget
        short = budget is not None and budget < RESERVE
        self.done_training = self.rounds >= 2 or short or len(self.vectors) == 0
        if len(self.vectors) == 0 or len(self.unseen) == 0:
            return np.full((len(self.unseen), classes), 1 / classes)
        return softmax(answer(self.vectors, self.labels, classes, self.unseen))
