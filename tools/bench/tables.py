"""What the benchmark scripts share: running `motley bench`, and tables of Markdown that replace the last ones in a page of docs/."""

import datetime
import json
import platform
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from motley_program import ROOT, run  # noqa: E402


def bench(*arguments):
    """The measurements of one run of `motley bench`, as dictionaries."""
    return [json.loads(line) for line in run("bench", "--json", *arguments).splitlines()]


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def stamp():
    return f"{datetime.date.today().isoformat()}, {processor()}"


def publish(name, text, page="docs/performance.md"):
    """Prints the text; with --write on the command line it also replaces what lies between the marks of that name in the page."""
    print(text)
    if "--write" not in sys.argv:
        return
    path = ROOT / page
    old = path.read_text()
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
    if not marked.search(old):
        sys.exit(f"{page} has no marks <!-- {name} --> and <!-- /{name} -->")
    path.write_text(marked.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", old))
