"""`npm run learn`: plays and trains, and writes the report."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from dataclasses import fields
from pathlib import Path

from .processes import LearnError
from .run import LearnOptions, learn

NUMBERS = [one for one in fields(LearnOptions) if one.name not in ("out", "spar", "nats_server")]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="npm run learn --", description="Shows that self-play learns: a small model, real sandboxes, held-out bugs, and baselines with the same number of rollouts.")
    parser.add_argument("--out", type=Path, default=Path("out/learn"), help="a proof that is there goes on where it was")
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
        asyncio.run(learn(options, say))
    except LearnError as error:
        print(f"spar-trainer learn: {error} [{error.code}]", file=sys.stderr)
        return 1
    return 0


sys.exit(main(sys.argv[1:]))
