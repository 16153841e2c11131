"""How much better than expected a rollout was: GRPO's advantages over a group, PPO's over the tokens of one rollout.

Pure, in float64. A reward that is None (infrastructure) moves no mean and gets no advantage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Baseline = Literal["length_weighted_mean", "mean", "leave_one_out"]
Scale = Literal["none", "std"]


@dataclass(frozen=True)
class GroupAdvantageOptions:
    baseline: Baseline = "length_weighted_mean"
    """SSR as restated from CWM: the mean weighted by sampled tokens. `mean` is GRPO's, `leave_one_out` RLOO's."""
    scale: Scale = "none"
    """`std`: divide by the standard deviation (n − 1) of the group plus `epsilon`, as GRPO does."""
    epsilon: float = 1e-4


def group_advantages(rewards: Sequence[float | None], lengths: Sequence[int], options: GroupAdvantageOptions = GroupAdvantageOptions()) -> list[float | None]:
    """`lengths`: sampled tokens of each. All segments of a rollout share its advantage."""
    raise NotImplementedError


@dataclass(frozen=True)
class GaeOptions:
    gamma: float = 1.0
    lam: float = 0.95


def generalized_advantages(reward: float, values: np.ndarray, options: GaeOptions = GaeOptions()) -> tuple[np.ndarray, np.ndarray]:
    """(advantages, returns), float64 [n] each, of the n sampled tokens of one rollout, all its segments in order.

    `values[t]` is the critic's estimate before sampled token t. Environment tokens are no steps: the next value is that of the
    next sampled token. The reward comes with the last sampled token.
    """
    raise NotImplementedError


def whiten(advantages: Sequence[np.ndarray], epsilon: float = 1e-8) -> list[np.ndarray]:
    """Mean 0 and variance 1 over the tokens of all rollouts of a batch."""
    raise NotImplementedError
