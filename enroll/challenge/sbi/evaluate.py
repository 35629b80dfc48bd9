"""Builds lists of phrases from recordings, and prints how often their SBI image is right.

    WAKEWORD=target/release/wakeword python3 enroll/challenge/sbi/evaluate.py CLIPS.tsv FOLDER

CLIPS.tsv is tab-separated with the columns file, label and speaker; FOLDER holds the files (WAV or FLAC). There are
four lists. List n leaves out every fourth word from the n-th on, and takes clips 2 n and 2 n + 1 of every other word of
each speaker as takes. All other clips are asked for: those of the words that were left out should get no text.
"""
import csv
import os
import resource
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

LISTS, TAKES = 4, 2


def clips(table):
    """{(speaker, word): files}, where there are enough for takes and some to ask for"""
    found = defaultdict(list)
    with open(table, encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            found[row["speaker"], row["label"]].append(row["file"])
    return {of: sorted(files) for of, files in found.items() if len(files) > LISTS * TAKES}


def run(program, folder, takes, asked):
    """The text of each file of `asked` by an image with `takes`, and the processor time in seconds"""
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        for (speaker, word), files in takes.items():
            place = work / "takes" / speaker / word
            place.mkdir(parents=True)
            for file in files:
                (place / Path(file).name).symlink_to(folder / file)
        build = [program, "sbi", "build", work / "image", "--from", work / "takes", "--language", "en"]
        subprocess.run(build, check=True, stderr=subprocess.DEVNULL)
        scp = "".join(f"{number}\t{folder / file}\n" for number, file in enumerate(asked))
        (work / "wav.scp").write_text(scp, encoding="utf-8")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["./SBI", work / "wav.scp", work / "results"], cwd=work / "image", check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        lines = (work / "results/raw_rec.txt").read_text(encoding="utf-8").splitlines()
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return [line.split("\t")[1] for line in lines], used


def main():
    table, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    program = Path(os.environ.get("WAKEWORD", "wakeword"))
    program = program.resolve() if program.exists() else program
    by_phrase = clips(table)
    words = sorted({word for _, word in by_phrase})
    for n in range(LISTS):
        left_out = set(words[n::LISTS])
        takes = {of: files[n * TAKES :][:TAKES] for of, files in by_phrase.items() if of[1] not in left_out}
        asked = [(file, of[1]) for of, files in by_phrase.items() for file in files if file not in takes.get(of, ())]
        texts, used = run(program, folder, takes, [file for file, _ in asked])
        listed = [(text, word) for text, (_, word) in zip(texts, asked) if word not in left_out]
        others = [text for text, (_, word) in zip(texts, asked) if word in left_out]
        right = sum(text == word for text, word in listed)
        wrong = sum(text not in ("", word) for text, word in listed)
        false = sum(text != "" for text in others)
        print(
            f"{len(takes)} profiles, {len(words) - len(left_out)} words: "
            f"{100 * right / len(listed):.1f} % of {len(listed)} listed clips right, {wrong} with another phrase; "
            f"{100 * false / len(others):.1f} % of {len(others)} others with a text; "
            f"{1000 * used / len(asked):.0f} ms of processor a clip",
            flush=True,
        )


if __name__ == "__main__":
    main()
