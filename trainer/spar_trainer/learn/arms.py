"""What is compared: self-play, and the baselines that play the same number of rollouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Arm:
    name: str
    breaker: Literal["model", "teacher"]
    """The teacher has a few bugs for each arena, the same ones always."""
    roles: Literal["both", "breaker", "solver"]
    """Whose rollouts are trained on."""

    @property
    def counted(self) -> tuple[str, ...]:
        """Whose rollouts count: those that the model plays."""
        return ("breaker", "solver") if self.breaker == "model" else ("solver",)


SELF_PLAY = Arm("self-play", "model", "both")
ARMS = (SELF_PLAY, Arm("repair-only", "teacher", "solver"), Arm("injection-only", "model", "breaker"))
