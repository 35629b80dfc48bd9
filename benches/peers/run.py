#!/usr/bin/env python3
"""`make bench`: wakeword beside other wake-word systems, and what it costs in its parts.

Installs the others under target/peers, measures all of them over the same audio, and writes the generated parts of
docs/performance.md. What cannot be installed or run is reported as such.

Variables: BENCH_MINUTES (of speech, and of silence; 2), BENCH_REPEATS (3), BENCH_CORE (0), BENCH_SPEECH and
BENCH_SILENCE (own recordings, WAV or FLAC).
"""

import csv
import os
import platform
import sys
import wave
from datetime import date
from pathlib import Path

import measure
import report
from measure import Failed, median
from systems import REPOSITORY, WORK, call, systems

AUDIO = WORK / "audio"
MINUTES = float(os.environ.get("BENCH_MINUTES", "2"))
REPEATS = int(os.environ.get("BENCH_REPEATS", "3"))
CORE = int(os.environ.get("BENCH_CORE", "0"))
OWN = [os.environ.get(name, "") for name in ("BENCH_SPEECH", "BENCH_SILENCE")]
STREAMS = ("speech", "silence")
# A detection so long after the phrase still answers to it.
LATE_S = 2.0


def say(text):
    print(text, file=sys.stderr, flush=True)


def seconds(name):
    with wave.open(str(AUDIO / f"{name}.wav")) as recording:
        return recording.getnframes() / recording.getframerate()


def recordings():
    return [f"{stream}{part}" for stream in STREAMS for part in ("", "-start")]


def costs(listen, env=None):
    """What a system costs that is told by `listen` what to listen to."""
    runs = {name: [] for name in recordings()}
    for _ in range(REPEATS):
        for name, all_runs in runs.items():
            all_runs.append(measure.run(listen(AUDIO / f"{name}.wav"), CORE, env))
    return summary(runs)


def summary(runs):
    mid = {name: {"cpu_s": median([run.cpu_s for run in all_runs])} for name, all_runs in runs.items()}
    starts = [run for stream in STREAMS for run in runs[f"{stream}-start"]]
    result = {
        "start_cpu_s": median([run.cpu_s for run in starts]),
        "start_wall_s": median([run.wall_s for run in starts]),
        "peak_mb": max(run.peak_mb for all_runs in runs.values() for run in all_runs),
    }
    for stream in STREAMS:
        audio = seconds(stream) - seconds(f"{stream}-start")
        result[stream] = (mid[stream]["cpu_s"] - mid[f"{stream}-start"]["cpu_s"]) / audio
        result[f"{stream}_whole_cpu_s"] = mid[stream]["cpu_s"]
        result[f"{stream}_audio_s"] = seconds(stream)
    return result


def compared():
    """All systems, one after the other in each repetition, so that a busy minute hits them alike."""
    ready = []
    for system in systems():
        say(f"{system.name}: preparing")
        try:
            system.install(system)
            # What is compiled or cached at the first start is no part of the figures.
            measure.run(system.listen(AUDIO / "silence-start.wav"), CORE)
            ready.append((system, {name: [] for name in recordings()}, None))
        except (Failed, OSError, ValueError) as failure:
            say(f"{system.name}: {failure}")
            ready.append((system, None, str(failure)))
    for repeat in range(REPEATS):
        for index, (system, runs, failure) in enumerate(ready):
            if failure:
                continue
            say(f"{system.name}: {repeat + 1} of {REPEATS}")
            try:
                for name, all_runs in runs.items():
                    all_runs.append(measure.run(system.listen(AUDIO / f"{name}.wav"), CORE))
            except Failed as failed:
                say(f"{system.name}: {failed}")
                ready[index] = (system, runs, str(failed))
    results = []
    for system, runs, failure in ready:
        result = {"system": system, "failure": failure}
        if not failure:
            result.update(summary(runs))
            result["room"] = room(system) if system.own_phrase else None
        results.append(result)
    return results


def room(system):
    """Phrases heard in the demo's living room, how long after their end, and what else woke it."""
    with open(REPOSITORY / "enroll" / "demo" / "living-room.tsv", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    phrases = [(float(row["start_s"]), float(row["end_s"])) for row in rows if row["expected"] == "accept"]
    detections = system.seconds_of(measure.run(system.listen(AUDIO / "living-room.wav"), CORE).output)
    delays, others = {}, 0
    for second in detections:
        said = [end for start, end in phrases if start <= second <= end + LATE_S]
        if said and said[0] not in delays:
            delays[said[0]] = second - said[0]
        else:
            others += 1
    return {"phrases": len(phrases), "delays": sorted(delays.values()), "others": others}


def profiles(wakeword):
    """Wakeword with more and longer profiles."""
    results = []
    for name in ("1", "5", "20", "100", "long"):
        say(f"profiles: {name}")
        command = list(wakeword.command)
        command[command.index("--store") + 1] = AUDIO / f"profiles-{name}"
        results.append((name, costs(lambda recording: [*command, recording])))
    return results


def batch(binary):
    """The demo as a dataset, on one thread and on two."""
    results = []
    for jobs in (1, 2):
        say(f"batch: {jobs} threads")
        command = [binary, "--config", "/dev/null", "batch", "autokws", AUDIO / "dataset", "--jobs", jobs, "--json"]
        command += ["--solution", AUDIO / "solution", "--out", WORK / "predictions"]
        runs = [measure.run(command) for _ in range(REPEATS)]
        results.append((jobs, runs))
    return results


def printed(bench):
    """What one of cargo's benches prints, or why it does not."""
    say(f"cargo bench --bench {bench}")
    try:
        return measure.run(["cargo", "bench", "--locked", "--quiet", "--bench", bench]).output.strip()
    except Failed as failure:
        say(str(failure))
        return f"not measured: {failure}"


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release().split('-')[0]}"


def main():
    os.chdir(REPOSITORY)
    load = [os.getloadavg()[0]]
    call(["cargo", "build", "--release", "--locked", "--example", "bench_audio", "--bins"])
    call([REPOSITORY / "target/release/examples/bench_audio", AUDIO, str(MINUTES), *OWN])
    results = compared()
    [wakeword] = [result["system"] for result in results if result["system"].name == "wakeword"]
    facts = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "python": platform.python_version(),
        "minutes": MINUTES,
        "repeats": REPEATS,
        "own": any(OWN),
        "results": results,
        "profiles": profiles(wakeword),
        "batch": batch(wakeword.command[0]),
        "parts": printed("parts"),
        "daemon": printed("daemon"),
    }
    load.append(os.getloadavg()[0])
    facts["load"] = load
    report.write(REPOSITORY / "docs" / "performance.md", facts)
    failures = [result for result in results if result["failure"]]
    say(f"docs/performance.md is written; {len(results) - len(failures)} of {len(results)} systems ran")
    return 1 if any(result["system"] is wakeword for result in failures) else 0


if __name__ == "__main__":
    sys.exit(main())
