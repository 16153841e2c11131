"""What the rollouts between two steps came to, by role: rewards, how many were solved or valid, how old they were."""

from __future__ import annotations

from dataclasses import dataclass, field

from .filters import oldest_step
from .groups import Group
from .records import ROLES, Sample


@dataclass
class Mean:
    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.total += value
        self.count += 1

    @property
    def value(self) -> float | None:
        """None: of nothing."""
        return self.total / self.count if self.count else None


@dataclass
class Figures:
    reward: dict[str, Mean] = field(default_factory=lambda: {role: Mean() for role in ROLES})
    tokens: dict[str, Mean] = field(default_factory=lambda: {role: Mean() for role in ROLES})
    """Sampled ones of a rollout."""
    staleness: dict[str, Mean] = field(default_factory=lambda: {role: Mean() for role in ROLES})
    """Policy steps since the oldest token, of the rollouts with a loss."""
    solved: Mean = field(default_factory=Mean)
    """Of graded attempts of solvers."""
    valid: Mean = field(default_factory=Mean)
    """Of breakers with a reward."""

    def see(self, group: Group) -> None:
        for member in group.members:
            if member.reward is None:
                continue
            self.reward[member.role].add(member.reward)
            self.tokens[member.role].add(member.sampled)
            if member.role == "solver" and member.solved is not None:
                self.solved.add(float(member.solved))
            if member.role == "breaker" and "valid" in member.reward_components:
                self.valid.add(member.reward_components["valid"])

    def use(self, sample: Sample, step: int) -> None:
        oldest = oldest_step(sample)
        if oldest is not None:
            self.staleness[sample.role].add(step - oldest)
