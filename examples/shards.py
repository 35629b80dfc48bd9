#!/usr/bin/env python3
"""Spreads a batch run over the workers of a Dask cluster, as shards, and puts the results together.

    python3 -m venv venv && venv/bin/pip install distributed==2026.8.0
    venv/bin/python examples/shards.py --check DATASET OUT [SOLUTION]

Without an address in DASK_SCHEDULER_ADDRESS it starts two workers on this machine. All workers need the program
(`wakeword` on PATH, or its path in WAKEWORD) and the same DATASET and OUT. --check runs everything at once, too, and
fails unless the numbers are the same.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from dask.distributed import Client, LocalCluster

PROGRAM = os.environ.get("WAKEWORD", "wakeword")
# More shards than workers, so that a worker that is done early has something left to do.
SHARDS_PER_WORKER = 2
TIMES = {"enroll_s", "predict_s", "real_time_factor", "wall_s", "threads", "peak_memory_mb"}


def autokws(options, out, *more):
    """What `wakeword batch autokws` prints."""
    command = [PROGRAM, "batch", "autokws", options.dataset, "--out", out, "--jobs", "1", "--json", *more]
    if options.solution:
        command += ["--solution", options.solution]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    # 3: done, but a recording could not be used, which is on stderr.
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


def sharded(client, options):
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    count = SHARDS_PER_WORKER * workers
    shards = [f"{number}/{count}" for number in range(1, count + 1)]
    running = [client.submit(autokws, options, options.out, "--shard", shard, pure=False) for shard in shards]
    print(f"{count} shards on {workers} workers", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        results = []
        for number, result in enumerate(client.gather(running)):
            results.append(Path(folder) / f"{number}.json")
            results[-1].write_text(result)
        merge = [PROGRAM, "batch", "merge", "--json", *map(str, results)]
        return subprocess.run(merge, check=True, stdout=subprocess.PIPE, text=True).stdout


def timeless(result):
    """The numbers that do not depend on the machine."""
    if isinstance(result, dict):
        return {name: timeless(value) for name, value in result.items() if name not in TIMES}
    return [timeless(part) for part in result] if isinstance(result, list) else result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=os.path.abspath)
    parser.add_argument("out", type=os.path.abspath)
    parser.add_argument("solution", type=os.path.abspath, nargs="?")
    parser.add_argument("--check", action="store_true", help="compare with one run over everything")
    options = parser.parse_args()
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    # One shard at a time on each worker.
    local = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with Client(address) if address else LocalCluster(**local).get_client() as client:
        merged = sharded(client, options)
    print(merged, end="")
    if options.check:
        with tempfile.TemporaryDirectory() as out:
            whole = autokws(options, out)
            same = timeless(json.loads(whole)) == timeless(json.loads(merged))
            for predictions in Path(out).iterdir():
                same &= predictions.read_bytes() == (Path(options.out) / predictions.name).read_bytes()
        print("the shards give the numbers of one run" if same else "the numbers differ", file=sys.stderr)
        return 0 if same else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
