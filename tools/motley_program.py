"""Runs the program from a check, and finds what the check needs.

    run("convert", folder, "-o", file)                    # standard output as text; a failure ends the check with the program's message
    answer = run_json("run", folder, "--ids", "[1]", ...)
    stories = shared("weights/stories260K")               # ends the check as skipped (77) where the shared material is absent
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "tests/data/models"
PROGRAM = os.environ.get("MOTLEY") or str(ROOT / "build/release/motley")
SKIPPED = 77


def skip(why):
    print(f"SKIP {why}")
    sys.exit(SKIPPED)


def need_program():
    if not os.access(PROGRAM, os.X_OK):
        skip(f"needs {PROGRAM}: ./dev build")


def shared_path(path):
    return Path(os.environ.get("MOTLEY_SHARED") or ROOT.parent / "shared") / "data" / path


def has_shared(path):
    return shared_path(path).exists()


def shared(path):
    if not has_shared(path):
        skip(f"needs shared/data/{path}")
    return shared_path(path)


def run(*arguments, text=None):
    command = [PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()


def run_json(*arguments, text=None):
    return json.loads(run(*arguments, text=text))


class Report:
    """Prints a line per comparison and remembers whether one failed."""

    def __init__(self):
        self.failed = 0

    def line(self, good, text):
        print(f"{'ok  ' if good else 'FAIL'} {text}", flush=True)
        self.failed += not good

    def finish(self):
        sys.exit(1 if self.failed else 0)
