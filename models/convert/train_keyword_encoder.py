"""Teaches the keyword encoder to hear through noise, rooms and narrow lines what it hears in quiet.

    pip install -r models/convert/requirements.txt scipy==1.17.1 torch==2.15.0
    python models/convert/train_keyword_encoder.py --speech READERS.wav LEARNERS.wav --noise PLACES.wav \\
        [--start EARLIER.onnx] [--steps 3000] [--output models/keyword_encoder.onnx]

The published network is the teacher and hears clean speech. The student begins as its copy and hears
the same speech with other voices, places or coloured noise around it, in a room, over the telephone,
louder or softer; its vectors shall be the teacher's. No word, label or transcript takes part, so that
nothing ties it to a language more than its teacher was. The graph stays as it is, only figures change.

Two processor cores make 90 steps a minute. Sums in another order make other figures, so that a second
run gives a network as good and not the same.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as F

import keyword_encoder
import package
from surroundings import RATE, SPEEDS, Surroundings, at_speed, read

HOP, FFT = 160, 512
VECTORS = 28  # of a crop
FRAMES = keyword_encoder.WINDOW + keyword_encoder.HOP * (VECTORS - 1)
SAMPLES = HOP * (FRAMES - 1) + FFT
CROPS = 32  # of a step


class Encoder(torch.nn.Module):
    """The graph of `keyword_encoder.py`, node by node; [B,1,T,32] -> [B,N,96]."""

    def __init__(self, model):
        super().__init__()
        constants = {c.name: torch.tensor(numpy_helper.to_array(c)) for c in model.graph.initializer}
        self.model = model
        self.weights = torch.nn.ParameterDict()
        self.nodes = []
        for node in model.graph.node:
            settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            inputs = node.input[1:]
            if node.op_type == "Conv":
                names = [str(len(self.weights) + index) for index in range(len(inputs))]
                self.weights.update({n: constants[i] for n, i in zip(names, inputs)})
                self.nodes.append((node.op_type, names, settings.get("pads", [0, 0])[:2], inputs))
            elif node.op_type == "Max":
                self.nodes.append((node.op_type, constants[inputs[0]].item()))
            elif node.op_type == "MaxPool":
                self.nodes.append((node.op_type, settings["kernel_shape"], settings["strides"]))
            else:
                self.nodes.append((node.op_type, settings["alpha"]))

    def forward(self, x):
        x = x.contiguous(memory_format=torch.channels_last)
        for operator, *settings in self.nodes:
            if operator == "Conv":
                weights = [self.weights[name] for name in settings[0]]
                x = F.conv2d(x, *weights, padding=tuple(settings[1]))
            elif operator == "LeakyRelu":
                x = F.leaky_relu(x, settings[0])
            elif operator == "Max":
                x = x.clamp(min=settings[0])
            else:
                x = F.max_pool2d(x, tuple(settings[0]), tuple(settings[1]))
        return x[..., 0].transpose(1, 2)

    def export(self, weights):
        """The graph with these weights."""
        new = {}
        for operator, *settings in self.nodes:
            if operator == "Conv":
                new.update({name: weights[f"weights.{key}"] for key, name in zip(settings[0], settings[2])})
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for constant in model.graph.initializer:
            if constant.name in new:
                values = np.ascontiguousarray(new[constant.name].numpy())
                constant.CopyFrom(numpy_helper.from_array(values, constant.name))
        return model


FILTERS = torch.tensor(keyword_encoder.mel_filters(RATE, FFT), dtype=torch.float32)
WINDOW = F.pad(torch.hann_window(400, periodic=True) * 32768, (56, 56))


def logmel(samples):
    """Input of the network, [B,1,T,32], as in `src/features/logmel.rs`."""
    frames = samples.unfold(-1, FFT, HOP) * WINDOW
    power = torch.fft.rfft(frames).abs() ** 2 @ FILTERS
    return (power.clamp(min=1).log10() + 2).unsqueeze(1)


def below(limit):
    return int(torch.randint(limit, ()))


class Recordings:
    """Speech with the teacher's vectors of it, and noise."""

    def __init__(self, teacher, speech, noise):
        self.voices = [at_speed(one, speed) for one in map(read, speech) for speed in SPEEDS]
        self.around = Surroundings(self.voices, read(noise), SAMPLES)
        self.active, self.lessons = [], []
        for number, voice in enumerate(self.voices):
            power = np.square(voice[: len(voice) // HOP * HOP]).reshape(-1, HOP).mean(1)
            loud = 10 * np.log10(power + 1e-10)
            self.active.append(np.cumsum(loud > np.percentile(loud, 95) - 35))
            # A vector every 80 ms would always hear a word from the same moment on.
            for phase in (0, 3, 6):
                self.lessons.append((number, phase, encode(teacher, voice[phase * HOP :])))
        self.mean = torch.cat([vectors for *_, vectors in self.lessons]).mean(0)

    def lesson(self):
        """A crop, the teacher's vectors, and how much of what each has heard is speech."""
        number, phase, vectors = self.lessons[below(len(self.lessons))]
        first = below(len(vectors) - VECTORS)
        frame = first * keyword_encoder.HOP + phase
        voice, active = self.voices[number][frame * HOP :][:SAMPLES], self.active[number]
        ends = frame + keyword_encoder.HOP * np.arange(VECTORS)
        last = len(active) - 1
        heard = active[np.minimum(ends + keyword_encoder.WINDOW, last)] - active[np.minimum(ends, last)]
        shares = torch.tensor(heard / keyword_encoder.WINDOW, dtype=torch.float32)
        return torch.from_numpy(voice), vectors[first:][:VECTORS], shares

    def batch(self):
        """What the student hears, [B,SAMPLES], what it shall make of it, and the shares of speech."""
        clean, vectors, shares = (torch.stack(part) for part in zip(*(self.lesson() for _ in range(CROPS))))
        return self.around.heard(clean), vectors, shares


@torch.no_grad()
def encode(net, samples, at_once=1500):
    """All vectors of a recording."""
    hop, window = keyword_encoder.HOP, keyword_encoder.WINDOW
    count = ((len(samples) - FFT) // HOP + 1 - window) // hop + 1
    parts = []
    for first in range(0, count, at_once):
        frames = window + hop * (min(at_once, count - first) - 1)
        part = samples[first * hop * HOP :][: HOP * (frames - 1) + FFT]
        parts.append(net(logmel(torch.from_numpy(part)[None]))[0])
    return torch.cat(parts)


def contrast(ours, theirs, shares, count=384, temperature=0.12):
    """Cross-entropy of finding the teacher's vector of the same moment among those of other moments."""
    chosen = torch.multinomial(shares.flatten(), count)
    crop, moment = chosen // VECTORS, chosen % VECTORS
    likeness = ours.flatten(0, 1)[chosen] @ theirs.flatten(0, 1)[chosen].T / temperature
    near = (crop[:, None] == crop) & ((moment[:, None] - moment).abs() <= 4)
    near.fill_diagonal_(False)
    return F.cross_entropy(likeness.masked_fill(near, -1e4), torch.arange(count))


def train(student, recordings, steps, rate):
    """The weights averaged over the last steps."""
    optimizer = torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=1e-4, betas=(0.9, 0.98))
    average = {name: value.detach().clone() for name, value in student.state_dict().items()}
    unit = lambda vectors: F.normalize(vectors - recordings.mean, dim=-1)
    began, distances = time.monotonic(), []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 150) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        heard, theirs, shares = recordings.batch()
        ours, theirs, shares = unit(student(logmel(heard))), unit(theirs), shares + 0.02
        distance = ((1 - (ours * theirs).sum(-1)) * shares).sum() / shares.sum()
        loss = distance + 0.2 * contrast(ours, theirs, shares)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 2)
        optimizer.step()
        with torch.no_grad():
            for name, value in student.state_dict().items():
                average[name].lerp_(value, 1 - min(0.998, (1 + step) / (10 + step)))
        distances.append(distance.item())
        if (step + 1) % 100 == 0:
            minutes = (time.monotonic() - began) / 60
            recent = np.mean(distances[-100:])
            print(f"step {step + 1} of {steps}, {minutes:.1f} min: cosine distance {recent:.4f}", flush=True)
    return average


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, nargs="+", required=True)
    parser.add_argument("--noise", type=Path, required=True)
    parser.add_argument("--package", type=Path, help="the teacher's wheel, if already downloaded")
    parser.add_argument("--start", type=Path, help="a student to go on with")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=package.MODELS / "keyword_encoder.onnx")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    published = keyword_encoder.published(options.package)
    teacher = Encoder(published)
    student = Encoder(onnx.load(options.start) if options.start else published)
    recordings = Recordings(teacher, options.speech, options.noise)
    average = train(student, recordings, options.steps, options.rate)
    package.write(student.export(average), options.output)


if __name__ == "__main__":
    main()
