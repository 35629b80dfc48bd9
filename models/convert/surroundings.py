"""What is around speech when a student learns to hear through it: other voices, noise, rooms, telephone lines.

Samples are rows of 16 kHz between -1 and 1.
"""

import math

import numpy as np
import soundfile
import torch
from scipy.signal import resample_poly

RATE = 16000
TAIL = RATE * 8 // 10  # of a room
SPEEDS = [(1, 1), (10, 9), (9, 10)]  # more voices out of those there are


def read(path):
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE and samples.ndim == 1, f"{path}: {RATE} Hz, one channel"
    return samples


def at_speed(recording, speed):
    return recording if speed == (1, 1) else resample_poly(recording, *speed).astype(np.float32)


def level(x):
    """Root of the mean square of each row."""
    return x.square().mean(1, keepdim=True).sqrt().clamp(min=1e-6)


def speech_level(x):
    """The level of the louder half of each row."""
    parts = x[:, : x.shape[1] // 400 * 400].reshape(len(x), -1, 400).square().mean(2)
    return parts.topk(parts.shape[1] // 2, 1).values.mean(1, keepdim=True).sqrt().clamp(min=1e-6)


def uniform(rows, low, high):
    return low + (high - low) * torch.rand(rows, 1)


def decibels(x):
    return 10 ** (x / 20)


class Surroundings:
    """Out of recordings of speech and of a noise, for rows of `samples`."""

    def __init__(self, voices, noise, samples):
        self.voices = torch.from_numpy(np.concatenate(voices))
        self.noise, self.samples = torch.from_numpy(noise), samples
        # Holds a row and the tail of a room.
        self.long = 1 << (samples + TAIL).bit_length()
        self.hertz = torch.fft.rfftfreq(self.long, 1 / RATE)

    def heard(self, clean):
        """Much of `clean` in rooms, most of it in noise, some over the telephone, louder or softer."""
        heard = clean.clone()
        for share, change in (
            (0.35, self.in_rooms),
            (0.85, lambda x: self.add(x, -2, 25)),
            (0.12, self.over_lines),
        ):
            chosen = torch.rand(len(heard)) < share
            heard[chosen] = change(heard[chosen])
        return (heard * decibels(uniform(len(heard), -18, 6))).clamp(-1, 1)

    def parts(self, recording, rows):
        starts = torch.randint(len(recording) - self.samples, (rows, 1))
        return recording[starts + torch.arange(self.samples)]

    def crowds(self, rows):
        """One to twelve others who talk at the same time."""
        shares = torch.tensor([0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.15])
        sizes = torch.tensor([1, 2, 3, 4, 6, 8, 12])[shares.multinomial(rows, replacement=True)]
        crowds = torch.zeros(rows, self.samples)
        for member in range(sizes.max()):
            among = sizes > member
            voices = self.parts(self.voices, among.sum())
            crowds[among] += voices / level(voices) * decibels(uniform(len(voices), -8, 0))
        return crowds

    def coloured(self, rows):
        """Noise of random spectra that swells and fades."""
        octave = (self.hertz.clamp(min=30) / 30).log2() / math.log2(8000 / 30) * 8
        below = octave.long().clamp(max=7)
        bumps = torch.randn(rows, 9) * 0.8
        shape = bumps[:, below].lerp(bumps[:, below + 1], octave - below)
        size = (self.hertz.clamp(min=40) / 1000) ** (-uniform(rows, -0.2, 2) / 2) * shape.exp()
        random = lambda: torch.randn(rows, len(self.hertz), dtype=torch.cfloat)
        noise = torch.fft.irfft(random() * size)[:, : self.samples]
        swell = torch.fft.irfft(random() * (self.hertz < uniform(rows, 0.5, 8)))[:, : self.samples]
        swell = swell - swell.mean(1, keepdim=True)
        return noise * (swell / level(swell) * uniform(rows, 0, 0.6)).exp()

    def any(self, rows):
        """Coloured noise, a crowd, both, or a part of the recorded noise."""
        noise, kind = self.coloured(rows), torch.rand(rows)
        both, crowd, recorded = kind < 0.25, kind < 0.45, kind >= 0.75
        around = noise[both]
        crowds = self.crowds(crowd.sum())
        of_both = crowds[both[crowd]]
        below = decibels(uniform(len(around), -15, 3))
        noise[crowd] = crowds
        noise[both] = of_both + around * level(of_both) / level(around) * below
        noise[recorded] = self.parts(self.noise, recorded.sum())
        return noise

    def add(self, x, low, high):
        """`x` with noise `low` to `high` dB below the speech."""
        noise = self.any(len(x))
        ratio = decibels(uniform(len(x), low, high))
        return x + noise / level(noise) * speech_level(x) / ratio * 0.8

    def in_rooms(self, x):
        """The direct sound and a decaying tail, 4 dB below to 10 dB above it, of 0.15 to 0.85 s."""
        rows = len(x)
        seconds = torch.arange(TAIL) / RATE
        decay = torch.exp(-math.log(1000) * seconds / uniform(rows, 0.15, 0.85))
        tail = torch.randn(rows, len(seconds)) * decay
        tail[:, :32] = 0
        tail[:, 1:] += uniform(rows, 0, 0.6) * tail[:, :-1]
        tail *= decibels(-uniform(rows, -4, 10)) / tail.square().sum(1, keepdim=True).sqrt()
        tail[:, 0] = 1
        return self.filtered(x, torch.fft.rfft(tail, self.long))

    def over_lines(self, x):
        """A band that ends between 3300 and 3800 Hz and begins at 250 to 350 Hz or at once."""
        rows = len(x)
        low = uniform(rows, 250, 350) * (torch.rand(rows, 1) < 0.5)
        high = uniform(rows, 3300, 3800)
        band = torch.sigmoid((self.hertz - low) / 15) * torch.sigmoid((high - self.hertz) / 40)
        return self.filtered(x, band)

    def filtered(self, x, response):
        return torch.fft.irfft(torch.fft.rfft(x, self.long) * response)[:, : self.samples]
