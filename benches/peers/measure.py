"""Runs one program on one core with one thread, and says what it cost."""

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# Whatever a library takes its number of threads from.
ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "RAYON_NUM_THREADS",
    )
}
POLL_S = 0.02
PATIENCE_S = 1800


class Failed(Exception):
    """A program that does not do what it should."""


@dataclass
class Cost:
    cpu_s: float
    wall_s: float
    peak_mb: float
    output: str


def run(command, core=None, env=None):
    """What `command` cost: user and system time of all its threads, and the most memory that was resident.

    `ru_maxrss` would count this program's memory too, which the child shares until it becomes another program.
    """
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    threads = {} if core is None else ONE_THREAD
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        child = subprocess.Popen(
            [*pinned, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**os.environ, **threads, **(env or {})},
        )
        peak_kb = 0
        while True:
            peak_kb = max(peak_kb, resident_kb(child.pid))
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - started > PATIENCE_S:
                child.kill()
            time.sleep(POLL_S)
        wall_s = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if child.returncode != 0:
            last = errors.read().strip().splitlines()[-1:] or ["it said nothing"]
            raise Failed(f"{Path(command[0]).name} ended with {child.returncode}: {last[0]}")
        return Cost(usage.ru_utime + usage.ru_stime, wall_s, peak_kb * 1024 / 1e6, output.read())


def resident_kb(process):
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def median(values):
    return statistics.median(values)
