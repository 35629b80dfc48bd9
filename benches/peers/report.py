"""Writes the generated parts of docs/performance.md; what is around them stays."""

import json
import re

from measure import median


def table(titles, rows):
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def with_ratio(value, own, form):
    """A value, and how many times wakeword's it is."""
    if value == own:
        return form.format(value)
    return f"{form.format(value)} ({value / own:.3g}×)" if own > 0 else form.format(value)


def peers(facts):
    results = facts["results"]
    own = results[0]
    source = "own recordings" if facts["own"] else "the demo's"
    busy = ", ".join(f"{load:.1f}" for load in facts["load"])
    intro = (
        f"Run of {facts['date']} on {facts['machine']}; load average before and after {busy}. "
        f"{facts['minutes']:g} minutes of speech and of silence each ({source}), medians of {facts['repeats']} runs, "
        f"Python {facts['python']}. In brackets: times wakeword's figure."
    )
    rows, failed, starts = [], [], []
    for result in results:
        system = result["system"]
        name = f"{system.name} {system.version}".strip()
        if result["failure"]:
            failed.append(f"- {name}: not measured: {result['failure']}")
            continue
        cells = [("speech", "{:.5f}"), ("silence", "{:.5f}"), ("peak_mb", "{:.0f} MB"), ("start_wall_s", "{:.2f} s")]
        row = [with_ratio(result[key], own.get(key, 0), form) for key, form in cells]
        size = with_ratio(system.size_mb, own["system"].size_mb, "{:.0f} MB")
        rows.append([name, system.what, *row, size])
        starts.append(
            [
                system.name,
                f"{result['start_cpu_s']:.3f} s",
                f"{result['speech_whole_cpu_s']:.2f} s of {result['speech_audio_s']:.0f} s",
                f"{result['silence_whole_cpu_s']:.2f} s of {result['silence_audio_s']:.0f} s",
            ]
        )
    titles = ["system", "wakes for", "CPU s per s, speech", "CPU s per s, silence", "peak memory", "start", "size"]
    parts = [intro, table(titles, rows)]
    parts.append("Before anything is subtracted, processor time of the whole process:")
    parts.append(table(["system", "start alone", "speech", "silence"], starts))
    parts.extend(["\n".join(failed)] if failed else [])
    return "\n\n".join(parts)


def latency(facts):
    rows = []
    for result in facts["results"]:
        found = result.get("room")
        if not found:
            continue
        delays = found["delays"]
        ms = (lambda value: f"{1000 * value:.0f} ms") if delays else (lambda value: "-")
        rows.append(
            [
                result["system"].name,
                f"{len(delays)} of {found['phrases']}",
                found["others"],
                ms(median(delays)) if delays else "-",
                ms(max(delays)) if delays else "-",
            ]
        )
    titles = ["system", "phrases heard", "other detections", "after the phrase, median", "most"]
    return table(titles, rows)


def profiles(facts):
    rows = []
    for name, result in facts["profiles"]:
        what = "1, of 6 s" if name == "long" else name
        # What is subtracted is measured too: of next to nothing it may leave less.
        cpu = [f"{max(0.0, result[stream]):.5f}" for stream in ("speech", "silence")]
        rows.append([what, *cpu, f"{result['peak_mb']:.0f} MB"])
    return table(["profiles", "CPU s per s, speech", "CPU s per s, silence", "peak memory"], rows)


def batch(facts):
    rows, least = [], None
    for jobs, runs in facts["batch"]:
        wall = min(run.wall_s for run in runs)
        least = least or wall
        result = json.loads(runs[0].output)
        rows.append(
            [
                jobs,
                f"{wall:.2f} s",
                f"{least / wall:.2f}",
                f"{median([run.cpu_s for run in runs]):.2f} s",
                f"{wall / result['audio_s']:.4f}",
                f"{max(run.peak_mb for run in runs):.0f} MB",
            ]
        )
    audio = json.loads(facts["batch"][0][1][0].output)["audio_s"]
    titles = ["threads", "least time", "times as fast", "CPU", "real-time factor", "peak memory"]
    text = f"{audio:.0f} s of test audio of 8 speakers, the least time of {facts['repeats']} runs:\n\n{table(titles, rows)}"
    one, two = (min(run.wall_s for run in runs) for _, runs in facts["batch"])
    serial = max(0.0, 2 * two / one - 1)
    more = ", ".join(f"{1 / (serial + (1 - serial) / cores):.1f} times on {cores}" for cores in (4, 8, 16))
    return f"{text}\n\nBy Amdahl's law that projects to {more} cores; shards have nothing in common but the merge."


def block(text):
    return f"```\n{text}\n```"


def write(path, facts):
    """Replaces what is between `<!-- generated: NAME -->` and `<!-- end -->`."""
    parts = {
        "peers": peers(facts),
        "latency": latency(facts),
        "profiles": profiles(facts),
        "batch": batch(facts),
        "parts": block(facts["parts"]),
        "daemon": block(facts["daemon"]),
    }
    text = path.read_text()
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda found: f"{found[1]}\n{part}\n\n{found[2]}", text)
        if count != 1:
            raise SystemExit(f"{path}: {count} places for {name}")
    path.write_text(text)
