"""`spar-trainer`: one command for each thing that can be done. Results on stdout, progress and errors on stderr.

Exit codes: 0 it was done; 1 it failed; 2 the command line or an option is wrong; 130 interrupted. An error is one line with its code.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from . import __version__
from .errors import TrainerError
from .options import resolve, table

USAGE = """usage: spar-trainer <command> [options]

  train     reinforcement learning from the samples of a run
  sft       clone recorded rollouts or conversations: a warm start
  report    curves of a run as one HTML file
  serve     a small inference server for small models
  publish   announce a version of the weights
  doctor    what this machine offers, and what follows from it

spar-trainer <command> --help lists its options."""
WRONG_USAGE = ("CONFIG_", "OPTION_", "USAGE")


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise TrainerError("USAGE", f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if given else 2
    if given[0] == "--version":
        print(__version__)
        return 0
    try:
        command = COMMANDS.get(given[0])
        if command is None:
            raise TrainerError("USAGE", f"there is no command {given[0]!r}; there are {', '.join(COMMANDS)}")
        return command(given[1:]) or 0
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except Exception as error:
        code = getattr(error, "code", None)
        if not isinstance(code, str) or not code.isupper():
            raise
        say(f"{' '.join(str(error).split())} [{code}]")
        return 2 if code.startswith(WRONG_USAGE) else 1


def entry() -> NoReturn:
    """Ends the process. One rank of several ends at once: the threads that gloo leaves may abort an interpreter that takes its time to end."""
    code = main()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def say(message: str) -> None:
    print(f"spar-trainer: {message}", file=sys.stderr, flush=True)


def train(argv: Sequence[str]) -> int:
    from .commands import run_train
    from .config import TrainConfig

    config, as_lines = options(TrainConfig, "train", argv)
    return run_train(config, say, teller(as_lines))


def sft(argv: Sequence[str]) -> int:
    from .commands import run_sft
    from .config import SftConfig

    config, as_lines = options(SftConfig, "sft", argv)
    return run_sft(config, say, teller(as_lines))


def report(argv: Sequence[str]) -> int:
    from .report import main as write_report

    parser = Parser(prog="spar-trainer report", description="Writes <out>/report.html.")
    parser.add_argument("out", type=Path, help="the --out of a run")
    print(write_report(parser.parse_args(argv).out))
    return 0


def serve(argv: Sequence[str]) -> int:
    from .serve import main as serve_main

    return serve_main(argv)


def publish(argv: Sequence[str]) -> int:
    from .publish import main as publish_main

    return publish_main(argv)


def doctor(argv: Sequence[str]) -> int:
    from .doctor import examine

    parser = Parser(prog="spar-trainer doctor")
    parser.add_argument("--out", type=Path, default=Path("."), help="where a run would be kept")
    parser.add_argument("--nats", default=None, help="address of a server that should answer")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    given = parser.parse_args(argv)
    findings = examine(given.out, given.nats)
    print(json.dumps([vars(one) for one in findings]) if given.json else "\n".join(f"{one.mark}  {one.what}: {one.said}" for one in findings))
    return 0 if all(one.is_well for one in findings) else 1


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": train, "sft": sft, "report": report, "serve": serve, "publish": publish, "doctor": doctor,
}


def options(config: type[Any], command: str, argv: Sequence[str]) -> tuple[Any, bool]:
    """The resolved options, and whether metrics go to stdout as JSON. Raises TrainerError."""
    parser = Parser(prog=f"spar-trainer {command}", allow_abbrev=False)
    parser.add_argument("--config", type=Path, default=None, metavar="FILE", help="a TOML file of options, named as the flags; a flag goes before it")
    parser.add_argument("--json", action="store_true", help="the metrics of each step as a line on stdout")
    for item, (flag, default, rule, help) in zip(fields(config), table(config)):
        parser.add_argument(flag, dest=item.name, default=argparse.SUPPRESS, metavar="…", help=f"{help} ({rule}; {default})".replace("%", "%%"))
    given = vars(parser.parse_args(argv))
    file, as_lines = given.pop("config"), given.pop("json")
    return resolve(config, given, file), as_lines


def teller(as_lines: bool) -> Callable[[dict[str, Any]], None]:
    """Tells the metrics of a step: a short line on stderr, or JSON on stdout."""

    def tell(line: dict[str, Any]) -> None:
        if as_lines:
            print(json.dumps(line), flush=True)
        else:
            say(short(line))

    return tell


def short(line: dict[str, Any]) -> str:
    reward = line.get("reward") or {}
    shown = [
        ("loss", line.get("loss"), ".4g"), ("breaker", reward.get("breaker"), "+.3f"), ("solver", reward.get("solver"), "+.3f"),
        ("solved", line.get("solve_rate"), ".0%"), ("valid", line.get("validity_rate"), ".0%"), ("entropy", line.get("entropy"), ".3f"),
        ("mismatch", line.get("mismatch_kl"), ".2g"), ("norm", line.get("grad_norm"), ".3g"), ("tokens/s", line.get("tokens_per_s"), ".0f"),
    ]
    parts = [f"{name} {value:{form}}" for name, value, form in shown if value is not None]
    dropped = sum((line.get("dropped") or {}).values())
    return f"step {line['step']}  {line.get('samples')} samples  " + "  ".join(parts) + (f"  dropped {dropped}" if dropped else "")


