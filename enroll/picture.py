#!/usr/bin/env python3
"""Draws a terminal's text with its colours as SVG; needs rich of PyPI.

    cargo test --release --test enroll guided -- --nocapture 2>&1 | python3 enroll/picture.py >docs/enroll.svg

keeps the dialogue of that test, from the line that names the microphone to the end of the enrolment.
"""

import re
import sys

from rich.console import Console
from rich.text import Text

FIRST, LAST = "microphone:", "to be expected:"

lines = sys.stdin.read().splitlines()
start = next(n for n, line in enumerate(lines) if FIRST in line)
end = next(n for n, line in enumerate(lines) if LAST in line)
# The folder of a test is nobody's.
lines = [re.sub(r"/tmp/\S+/store", "~/.local/share/wakeword/profiles", line) for line in lines[start : end + 1]]
lines.insert(0, '$ wakeword enroll anna --phrase "hello sunflower"')
console = Console(record=True, width=120, file=sys.stderr)
for line in lines:
    console.print(Text.from_ansi(line.rstrip()))
picture = console.export_svg(title="wakeword enroll")
# Fonts would come from elsewhere.
sys.stdout.write(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL))
