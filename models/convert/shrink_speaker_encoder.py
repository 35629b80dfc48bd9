"""Makes a speaker encoder that needs six tenths of the sums out of the whole one.

    pip install -r models/convert/requirements.txt scipy==1.17.1 torch==2.15.0
    python models/convert/shrink_speaker_encoder.py --speech READERS.wav LEARNERS.wav --noise PLACES.wav

Left out are the second residual block of each stage of the head and half of the channels that each dense layer
looks at. What stays shall do what the whole network does on 0.8 s of speech, as the engine hears it, with and
without noise, rooms and telephone lines:

- The head is trained to make the same plane.
- Dense layers and transits follow in the order of their use, each solved by least squares on what those before
  it make here, so that it makes up for what they have lost. The channels that stay are those left when a quarter
  at a time is taken away, of what the layer gives least to (after Y. He and others, "Channel pruning", 2017).

No word, speaker or label takes part. Takes 11 minutes on two processor cores. Sums in another order make other
figures, so that a second run gives a network as good and not the same.
"""

import math
import re
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import package
import speaker_encoder
from speaker_encoder import numbers
from surroundings import RATE, SPEEDS, Surroundings, at_speed, level, read

HOP, WINDOW, FFT, FRAMES = 160, 400, 512, 80
SAMPLES = HOP * (FRAMES - 1) + WINDOW
BEFORE = RATE * 2 // 5  # heard too where a room keeps sounding
ACTIVE = 0.4  # least share of speech in a stretch
STRETCHES, FITTED, AT_ONCE = 10_000, 2400, 64
HIDDEN = 64  # channels that stay of the 128 that a dense layer looks at
STEPS, RATE_OF_LEARNING = 1500, 2e-3


FILTERS = torch.tensor(speaker_encoder.mel_filters(RATE, FFT), dtype=torch.float32)


def fbank(samples):
    """Input of the network, [B,T,80], as in `src/speaker` and `src/features/fbank.rs`."""
    frames = (samples * 0.05 / level(samples)).unfold(-1, WINDOW, HOP)
    frames = frames - frames.mean(-1, keepdim=True)
    frames = frames - 0.97 * torch.cat([frames[..., :1], frames[..., :-1]], -1)
    window = torch.hann_window(WINDOW, periodic=False) ** 0.85
    power = torch.fft.rfft(frames * window, FFT).abs() ** 2 @ FILTERS
    bands = power.clamp(min=torch.finfo(torch.float32).eps).log()
    return bands - bands.mean(1, keepdim=True)


def stretches(speech, noise):
    """Input of the network for stretches of speech, half of them as they are, [STRETCHES,80,80]."""
    voices = [at_speed(one, speed) for one in map(read, speech) for speed in SPEEDS]
    around = Surroundings(voices, read(noise), BEFORE + SAMPLES)
    power = around.voices[: len(around.voices) // HOP * HOP].view(-1, HOP).square().mean(1)
    active = F.pad((power > torch.tensor(np.percentile(power, 95)) * 10**-3.5).cumsum(0), (1, 0))
    enough = active[FRAMES:] - active[:-FRAMES] >= ACTIVE * FRAMES
    starts = enough[BEFORE // HOP : -2].nonzero()
    heard = []
    while len(heard) * AT_ONCE < STRETCHES:
        chosen = starts[torch.randint(len(starts), (AT_ONCE,))] * HOP
        samples = around.voices[chosen + torch.arange(BEFORE + SAMPLES)]
        samples[::2] = around.heard(samples[::2])
        heard.append(fbank(samples[:, BEFORE:]))
    return torch.cat(heard)


def batched(compute, bands):
    return torch.cat([compute(part) for part in bands.split(AT_ONCE)])


class Encoder:
    """CAM++ with as many layers and channels as its weights have."""

    def __init__(self, weights):
        self.weights = {name: torch.tensor(value) for name, value in weights.items()}

    def norm(self, name, x):
        mean, variance, scale, offset = (
            self.weights.get(f"{name}.{part}") for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, scale, offset)

    def conv(self, name, x, **settings):
        convolve = F.conv2d if x.ndim == 4 else F.conv1d
        return convolve(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"), **settings)

    def head(self, bands):
        """[B,80,80] -> [B,32,10,80], frequency before time."""
        x = bands.transpose(1, 2)[:, None].contiguous(memory_format=torch.channels_last)
        x = self.norm("head.bn1", self.conv("head.conv1", x, padding=1)).relu()
        for stage in ("head.layer1", "head.layer2"):
            for block in numbers(self.weights, stage + ".{}.conv1", 0):
                at, stride = f"{stage}.{block}", (1 if block else 2, 1)
                y = self.norm(f"{at}.bn1", self.conv(f"{at}.conv1", x, stride=stride, padding=1)).relu()
                y = self.norm(f"{at}.bn2", self.conv(f"{at}.conv2", y, padding=1))
                if not block:
                    x = self.norm(f"{at}.shortcut.1", self.conv(f"{at}.shortcut.0", x, stride=stride))
                x = (x + y).relu()
        return self.norm("head.bn2", self.conv("head.conv2", x, stride=(2, 1), padding=1)).relu()

    def first(self, plane):
        x = self.conv("xvector.tdnn.linear", plane.flatten(1, 2), stride=2, padding=2)
        return self.norm("xvector.tdnn.nonlinear.batchnorm", x).relu()

    def hidden(self, at, x):
        h = self.conv(f"{at}.linear1", self.norm(f"{at}.nonlinear1.batchnorm", x).relu())
        return self.norm(f"{at}.nonlinear2.batchnorm", h).relu()

    def local(self, at, h, dilation):
        return self.conv(f"{at}.cam_layer.linear_local", h, padding=dilation, dilation=dilation)

    def squeezed(self, at, h):
        return self.conv(f"{at}.cam_layer.linear1", 2 * h.mean(-1, keepdim=True))

    def masked(self, at, local, squeezed):
        return local * self.conv(f"{at}.cam_layer.linear2", squeezed.relu()).sigmoid()

    def pooled(self, x):
        """What the last norm makes the embedding of, [B,192]."""
        x = self.norm("xvector.out_nonlinear.batchnorm", x).relu()
        return self.conv("xvector.dense.linear", torch.cat([x.mean(-1), x.std(-1)], 1)[..., None])[..., 0]


def rows(x):
    """[B,C,T] -> [B T,C]."""
    return x.transpose(1, 2).flatten(0, 1)


def fit(inputs, outputs):
    """Weights [inputs,outputs] and constants [outputs] by least squares, held a little to zero."""
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], 1)
    products = (inputs.T @ inputs).double()
    products.diagonal().add_(1e-4 * products.diagonal().mean())
    solved = torch.linalg.solve(products, (inputs.T @ outputs).double()).float()
    return solved[:-1], solved[-1]


def share(weights, inputs, outputs):
    """How much of `outputs` each of `inputs` makes, weighted with [inputs,outputs]."""
    return weights.square().sum(1) * inputs.var(0) / outputs.var(0).sum()


def train_head(small, whole, bands):
    """Makes the head of `small` give what that of `whole` gives."""
    planes = batched(lambda x: whole.head(x).half(), bands)
    spread = planes[:500].float().std((0, 2, 3), keepdim=True)
    learned = [x for name, x in small.weights.items() if re.match("head.*(weight|bias)$", name)]
    optimizer = torch.optim.Adam([x.requires_grad_() for x in learned], lr=RATE_OF_LEARNING, betas=(0.9, 0.98))
    schedule = lambda step: min(1, (step + 1) / 30) * (0.5 + 0.5 * math.cos(math.pi * step / STEPS))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    total = 0
    for step in range(1, STEPS + 1):
        chosen = torch.randint(len(bands), (AT_ONCE // 2,))
        with torch.enable_grad():
            loss = ((small.head(bands[chosen]) - planes[chosen]) / spread).square().mean()
            optimizer.zero_grad()
            loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 2)
        optimizer.step()
        scheduler.step()
        total += loss.item()
        if step % 100 == 0:
            print(f"head, step {step} of {STEPS}: {total / 100:.3f} of each channel's variance missed", flush=True)
            total = 0
    for x in learned:
        x.requires_grad_(False)


def fit_layer(small, at, ours, dilation, local, squeezed):
    """Leaves a dense layer the best of its hidden channels; of those, [B,128,T], come `local` and `squeezed`."""
    frames = ours.shape[-1]
    around = F.pad(ours, (dilation, dilation))
    taps = torch.stack([rows(around[..., n * dilation :][..., :frames]) for n in range(3)], -1)
    means, local, squeezed = 2 * ours.mean(-1), rows(local), squeezed[..., 0]
    kept = torch.arange(ours.shape[1])
    while True:
        seen = taps[:, kept].flatten(1)
        weights, bias = fit(seen, local)
        context, context_bias = fit(means[:, kept], squeezed)
        if len(kept) == HIDDEN:
            break
        worth = share(weights, seen, local).view(-1, 3).sum(1) + share(context, means[:, kept], squeezed) / 2
        kept = kept[worth.topk(max(HIDDEN, len(kept) * 3 // 4)).indices.sort().values]
    new = {
        "cam_layer.linear_local.weight": weights.view(HIDDEN, 3, -1).permute(2, 0, 1),
        "cam_layer.linear_local.bias": bias,
        "cam_layer.linear1.weight": context.T[..., None],
        "cam_layer.linear1.bias": context_bias,
        "linear1.weight": small.weights[f"{at}.linear1.weight"][kept],
    }
    norm = "nonlinear2.batchnorm"
    for part in ("weight", "bias", "running_mean", "running_var"):
        new[f"{norm}.{part}"] = small.weights[f"{at}.{norm}.{part}"][kept]
    small.weights.update({f"{at}.{name}": value.contiguous() for name, value in new.items()})


def fit_blocks(small, whole, bands):
    """The layers behind the head, in the order of their use."""
    ours = batched(lambda x: small.first(small.head(x)), bands)
    theirs = batched(lambda x: whole.first(whole.head(x)), bands)
    for block, dilation in enumerate(speaker_encoder.DILATIONS, 1):
        for layer in numbers(whole.weights, f"xvector.block{block}.tdnnd{{}}.linear1", 1):
            at = f"xvector.block{block}.tdnnd{layer}"
            hidden = whole.hidden(at, theirs)
            local, squeezed = whole.local(at, hidden, dilation), whole.squeezed(at, hidden)
            theirs = torch.cat([theirs, whole.masked(at, local, squeezed)], 1)
            fit_layer(small, at, small.hidden(at, ours), dilation, local, squeezed)
            hidden = small.hidden(at, ours)
            new = small.masked(at, small.local(at, hidden, dilation), small.squeezed(at, hidden))
            ours = torch.cat([ours, new], 1)
        at = f"xvector.transit{block}"
        ours, theirs = (
            net.norm(f"{at}.nonlinear.batchnorm", x).relu() for net, x in ((small, ours), (whole, theirs))
        )
        theirs = whole.conv(f"{at}.linear", theirs)
        weights, small.weights[f"{at}.linear.bias"] = fit(rows(ours), rows(theirs))
        small.weights[f"{at}.linear.weight"] = weights.T[..., None].contiguous()
        ours = small.conv(f"{at}.linear", ours)
        missed = ((ours - theirs).square().mean() / theirs.var()).item()
        print(f"block {block}: {missed:.3f} of the variance missed", flush=True)
    match_spread(small, small.pooled(ours), whole.pooled(theirs))


def match_spread(small, ours, theirs):
    """Gives every value of an embedding the mean and deviation that it has by the whole network.

    What a fit misses is missing from its spread, so embeddings lie too close together; with the same spread the
    same cosine says the same.
    """
    mean, variance = (f"xvector.dense.nonlinear.batchnorm.running_{part}" for part in ("mean", "var"))
    ratio = ours.std(0) / theirs.std(0)
    small.weights[mean] = ours.mean(0) - ratio * (theirs.mean(0) - small.weights[mean])
    small.weights[variance] = (small.weights[variance] + 1e-5) * ratio**2 - 1e-5


@torch.no_grad()
def shrink(published, bands):
    whole = Encoder(published)
    small = Encoder({name: x for name, x in published.items() if not re.match(r"head\.layer\d\.1\.", name)})
    train_head(small, whole, bands)
    fit_blocks(small, whole, bands[:FITTED])
    return {name: x.numpy() for name, x in small.weights.items()}


def main():
    parser = package.arguments(__doc__, "small/speaker_encoder.onnx")
    parser.add_argument("--speech", type=Path, nargs="+", required=True)
    parser.add_argument("--noise", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    bands = stretches(options.speech, options.noise)
    weights = shrink(speaker_encoder.load(options.package), bands)
    package.write(speaker_encoder.Graph(weights).build(), options.output)


if __name__ == "__main__":
    main()
