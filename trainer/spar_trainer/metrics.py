"""What a run says of itself: a line a step in `<out>/metrics.jsonl`, and the same numbers as TensorBoard events.

A step that was done again after a crash is written again: a run that goes on first cuts what lies after its checkpoint.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from .atomic import write_file
from .figures import Figures
from .filters import DropCounter
from .learner import StepResult
from .losses import Mismatch

METRICS = "metrics.jsonl"
EVENTS = "tensorboard"


@dataclass
class Phases:
    """Seconds that were spent on what."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, phase: str) -> Iterator[None]:
        since = monotonic()
        try:
            yield
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + monotonic() - since

    def take(self) -> dict[str, float]:
        taken, self.seconds = self.seconds, {}
        return {phase: round(seconds, 4) for phase, seconds in taken.items()}


def learned(result: StepResult, seconds: dict[str, float]) -> dict[str, Any]:
    """What both `train` and `sft` say of a step."""
    line = {name: value for name, value in asdict(result).items() if name != "mismatch"}
    took = seconds.get("learn", 0.0)
    return {**line, "tokens_per_s": result.positions / took if took > 0 else None, "seconds": seconds}


def played(figures: Figures, drops: DropCounter) -> dict[str, Any]:
    """What the rollouts came to. Means of nothing are null; what was dropped is counted from the start of the run."""
    by_role = {name: {role: mean.value for role, mean in getattr(figures, name).items()} for name in ("reward", "staleness", "tokens")}
    return {
        "reward": by_role["reward"], "solve_rate": figures.solved.value, "validity_rate": figures.valid.value,
        "staleness": by_role["staleness"], "rollout_tokens": by_role["tokens"],
        "dropped": drops.by_cause(), "dropped_rows": drops.state(),
    }


def mismatch(found: dict[str, Mismatch]) -> dict[str, Any]:
    """Means a token by version, and of all: KL(sampler ‖ trainer)."""
    tokens = sum(one.tokens for one in found.values())
    return {
        "mismatch_kl": sum(one.k3 for one in found.values()) / tokens if tokens else None,
        "mismatch_by_version": {
            version: {"tokens": one.tokens, "k1": one.k1 / one.tokens, "k3": one.k3 / one.tokens} for version, one in sorted(found.items()) if one.tokens
        },
    }


class MetricsLog:
    def __init__(self, out: Path, step: int) -> None:
        """The run goes on after `step`."""
        from torch.utils.tensorboard import SummaryWriter

        self._file = out / METRICS
        lines = [line for line in read_metrics(out) if line["step"] <= step]
        write_file(self._file, "".join(json.dumps(line) + "\n" for line in lines).encode())
        self._events = SummaryWriter(str(out / EVENTS), purge_step=step + 1)

    def write(self, line: dict[str, Any]) -> dict[str, Any]:
        """The line as it was written. A full disk costs the line, not the run."""
        kept = finite(line)
        try:
            with self._file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(kept) + "\n")
            for name, value in flat(kept):
                self._events.add_scalar(name, value, kept["step"])
            self._events.flush()
        except OSError:
            pass
        return kept

    def close(self) -> None:
        self._events.close()


def read_metrics(out: Path) -> list[dict[str, Any]]:
    """The lines that are whole, in the order of their steps; a later line of a step is the one that holds."""
    try:
        text = (out / METRICS).read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    by_step: dict[int, dict[str, Any]] = {}
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("step"), int):
            by_step[value["step"]] = value
    return [by_step[step] for step in sorted(by_step)]


def finite(value: Any) -> Any:
    """JSON has no NaN: it is null."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def flat(line: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Numbers by their path. Versions are left out: they would be a curve each."""
    for key, value in line.items():
        if isinstance(value, dict) and key != "mismatch_by_version":
            yield from flat(value, f"{prefix}{key}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and key not in ("step", "at"):
            yield f"{prefix}{key}", float(value)
