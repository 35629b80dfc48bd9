"""The systems that are compared: how each is installed, and how it is told to listen to a recording."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from measure import Failed

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
WORK = REPOSITORY / "target" / "peers"
TAKES = REPOSITORY / "enroll" / "demo" / "enroll"


@dataclass
class System:
    name: str
    what: str
    # What the user chooses: the phrase, by recordings of it, and whose voice it is.
    own_phrase: bool
    knows_voices: bool
    install: object
    # What there is after that.
    command: list = field(default_factory=list)
    arguments: list = field(default_factory=list)
    env: dict = field(default_factory=dict)
    version: str = ""
    size_mb: float = 0.0
    seconds_of: object = staticmethod(lambda output: [float(line) for line in output.splitlines()])

    def listen(self, recording):
        return [*self.command, recording, *self.arguments]


def call(command, **options):
    """Runs a step of an installation."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Failed(f"{Path(command[0]).name} {command[1]} failed: {last[0]}")
    return done.stdout


def megabytes(path):
    """Of a file, or of a folder's files less those that every virtual environment has."""
    if path.is_file():
        return path.stat().st_size / 1e6
    parts = [part for part in path.iterdir() if not part.name.startswith(("pip", "setuptools", "pkg_resources"))]
    files = (file for part in parts for file in ([part] if part.is_file() else part.rglob("*")))
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink()) / 1e6


def wakeword(system):
    binary = REPOSITORY / "target" / "release" / "wakeword"
    system.version = call([binary, "--version"]).split()[-1]
    system.command = [binary, "--config", "/dev/null", "--store", WORK / "audio" / "profiles-1", "detect", "--json"]
    system.size_mb = megabytes(binary)


def accepted_seconds(output):
    events = map(json.loads, output.splitlines())
    return [event["decided"] / 16_000 for event in events if event["event"] == "detected"]


def environment(name, packages):
    """The Python of a virtual environment with `packages`, and where they are."""
    folder = WORK / name
    python = folder / "bin" / "python"
    wanted = "\n".join(packages)
    installed = folder / "installed.txt"
    if not installed.is_file() or installed.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        call([sys.executable, "-m", "venv", folder])
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        with_needs = [package for package in packages if not package.startswith("--no-deps ")]
        call([*pip, *with_needs])
        for package in packages:
            if package.startswith("--no-deps "):
                call([*pip, *package.split()])
        installed.write_text(wanted)
    [libraries] = (folder / "lib").glob("python3*/site-packages")
    return python, libraries


def python_system(system, name, script, version, packages):
    python, libraries = environment(name, packages)
    system.command, system.version = [python, HERE / script], version
    system.size_mb = megabytes(libraries)
    return python, libraries


def openwakeword(system):
    # Its own needs include a library without wheels for newer Pythons, which the ONNX models do without.
    needs = ["onnxruntime==1.31.1", "numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1", "requests", "tqdm"]
    python, libraries = python_system(
        system,
        "openwakeword",
        "openwakeword_peer.py",
        "0.6.0, models of 0.5.1",
        [*needs, "--no-deps openwakeword==0.6.0"],
    )
    # The package of 0.6.0 holds no models.
    models = libraries / "openwakeword" / "resources" / "models"
    if not (models / "alexa_v0.1.onnx").is_file():
        download = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        call([*download, "--dest", WORK, "openwakeword==0.5.1"])
        with zipfile.ZipFile(WORK / "openwakeword-0.5.1-py3-none-any.whl") as wheel:
            for name in ("alexa_v0.1", "embedding_model", "melspectrogram"):
                wheel.extract(f"openwakeword/resources/models/{name}.onnx", libraries)
        system.size_mb = megabytes(libraries)


def pymicro_wakeword(system):
    packages = ["pymicro-wakeword==2.5.0", "numpy==2.4.6"]
    python_system(system, "pymicro-wakeword", "pymicro_peer.py", "2.5.0", packages)


def local_wake(system):
    packages = ["local-wake==0.1.2", "onnxruntime==1.31.1", "numpy==2.4.6", "librosa==0.11.0", "silero-vad==6.2.3"]
    python_system(system, "local-wake", "local_wake_peer.py", "0.1.2", packages)
    system.arguments = [TAKES]


def crate(system, name, version):
    target = WORK / name
    manifest = HERE / name / "Cargo.toml"
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    call(["cargo", "build", "--release", "--locked", "--manifest-path", manifest], env=environment)
    binary = target / "release" / f"bench-{name}"
    system.command, system.version, system.size_mb = [binary], version, megabytes(binary)


def rustpotter(system):
    crate(system, "rustpotter", "3.0.2")
    system.arguments = sorted(TAKES.glob("*.wav"))


def oww_rs(system):
    crate(system, "oww-rs", "0.3.3")


def systems():
    """Wakeword first: the others are compared with it."""
    return [
        System("wakeword", "your phrase in your voice", True, True, wakeword, seconds_of=accepted_seconds),
        System("openWakeWord", "“Alexa”, by anybody", False, False, openwakeword),
        System("microWakeWord (pymicro-wakeword)", "“Okay Nabu”, by anybody", False, False, pymicro_wakeword),
        System("local-wake", "your phrase, by anybody", True, False, local_wake),
        System("rustpotter", "your phrase, by anybody", True, False, rustpotter),
        System("oww-rs", "“Alexa”, by anybody", False, False, oww_rs),
    ]
