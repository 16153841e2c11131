"""`npm run learn`: plays and trains, and writes the report."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine
from dataclasses import fields
from pathlib import Path
from typing import Any

try:
    from .processes import LearnError
    from .report import text_report, write_report
    from .run import LearnOptions, learn
except ModuleNotFoundError as error:
    print(
        f"spar-trainer learn: {sys.executable} has no {error.name}. Install what trainer/requirements.lock lists (trainer/README.md), and name that Python: "
        "SPAR_TRAINER_PYTHON=<venv>/bin/python npm run learn [LEARN_NO_PACKAGE]", file=sys.stderr,
    )
    sys.exit(1)

NUMBERS = [one for one in fields(LearnOptions) if one.name not in ("out", "spar", "nats_server")]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="npm run learn --", description="Asks whether self-play learns: a small model, real sandboxes, held-out bugs, and baselines with the same number of rollouts.")
    parser.add_argument("--out", type=Path, default=Path("out/learn"), help="what is there goes on where it was")
    parser.add_argument("--spar", default="node dist/src/cli/main.js", help="how the command of Spar is started")
    parser.add_argument("--nats-server", default=os.environ.get("SPAR_TEST_NATS_SERVER") or "nats-server")
    for one in NUMBERS:
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=type(one.default), default=one.default)
    given = parser.parse_args(argv)
    options = LearnOptions(given.out.resolve(), tuple(given.spar.split()), given.nats_server, **{one.name: getattr(given, one.name) for one in NUMBERS})
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", file=sys.stderr, flush=True)

    try:
        results = asyncio.run(_until_told(learn(options, say)))
    except LearnError as error:
        print(f"spar-trainer learn: {error} [{error.code}]", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return 130
    write_report(results, options.out / "report.html")
    print(text_report(results) + f"\n{options.out / 'report.html'}")
    return 0


async def _until_told(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """A signal ends everything that was started."""
    task = asyncio.ensure_future(work)
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    return await task


sys.exit(main(sys.argv[1:]))
