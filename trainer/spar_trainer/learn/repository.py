"""An arena of the family as a git repository on disk, with the few files that let a breaker submit what it needs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .family import LearnArena

TEST_COMMAND = "python3 -SEB tests/run.py"

# One line, one test. An import that fails leaves its names out, and the tests that want them fail one by one.
_RUN = '''"""Runs tests/test_lib.py line by line and prints a result for each; --failing prints the numbers of the lines that fail."""

import sys

sys.path.insert(0, ".")
names, failing = {}, []
for number, line in enumerate(open("tests/test_lib.py"), 1):
    line = line.strip()
    if not line.startswith("assert "):
        try:
            exec(line, names)
        except BaseException:
            pass
        continue
    try:
        passed = bool(eval(line[7:], names))
    except BaseException:
        passed = False
    if not passed:
        failing.append(str(number))
    if "--failing" not in sys.argv:
        print("PASS" if passed else "FAIL", line[7:])
if "--failing" in sys.argv:
    print(" ".join(failing))
'''
_PARSER = r'''awk '
function quoted(text) { gsub(/"/, "\\\"", text); return "\"" text "\"" }
/^(PASS|FAIL) / { printf "%s%s:\"%s\"", count++ ? "," : "{", quoted(substr($0, 6)), $1 == "PASS" ? "passed" : "failed" }
END { if (!count) exit 1; print "}" }'
'''


def write_repository(arena: LearnArena, folder: Path) -> None:
    """Writes and commits; the same arena gives the same commit, whoever makes it and when."""
    files = {
        **arena.files(), "tests/run.py": _RUN, "tests/test_script.sh": f"{TEST_COMMAND}\n",
        "tests/test_files.txt": "tests/test_lib.py\ntests/run.py\n", "tests/test_parser.sh": _PARSER,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    who = {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in (("NAME", "Spar"), ("EMAIL", "spar@invalid"), ("DATE", "2026-01-01T00:00:00Z"))}
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", f"The arena {arena.name}"]):
        subprocess.run(["git", *words], cwd=folder, check=True, env={**os.environ, **who})
