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
    """SSR's, as restated from CWM: the mean weighted by sampled tokens (also OPO's, arXiv 2505.23585). `mean` is GRPO's
    (arXiv 2402.03300), `leave_one_out` RLOO's (arXiv 2402.14740): the mean of the others."""
    scale: Scale = "none"
    """`std`: divide by the standard deviation of the group (n − 1 below) plus `epsilon`, as GRPO does."""
    epsilon: float = 1e-6


def group_advantages(
    rewards: Sequence[float | None], lengths: Sequence[int], options: GroupAdvantageOptions = GroupAdvantageOptions()
) -> list[float | None]:
    """R − baseline of each member; all segments of a rollout share it.

    `lengths`: sampled tokens of each. A member without tokens has no weight in the weighted mean; where nobody has tokens it is the
    plain one. A member that is alone with its reward has the advantage 0: there is nothing to compare it with.
    """
    if len(rewards) != len(lengths):
        raise ValueError(f"Cannot take advantages: {len(rewards)} rewards, {len(lengths)} lengths")
    members = [index for index, reward in enumerate(rewards) if reward is not None]
    scored = np.array([rewards[index] for index in members], np.float64)
    weights = np.array([lengths[index] for index in members], np.float64)
    found: list[float | None] = [None] * len(rewards)
    for index, advantage in zip(members, _scored_advantages(scored, weights, options)):
        found[index] = float(advantage)
    return found


def _scored_advantages(rewards: np.ndarray, lengths: np.ndarray, options: GroupAdvantageOptions) -> np.ndarray:
    if len(rewards) < 2:
        return np.zeros_like(rewards)
    centred = rewards - _baseline(rewards, lengths, options.baseline)
    return centred / (np.std(rewards, ddof=1) + options.epsilon) if options.scale == "std" else centred


def _baseline(rewards: np.ndarray, lengths: np.ndarray, baseline: Baseline) -> np.ndarray:
    if baseline == "leave_one_out":
        return (rewards.sum() - rewards) / (len(rewards) - 1)
    is_weighted = baseline == "length_weighted_mean" and lengths.sum() > 0
    return np.average(rewards, weights=lengths if is_weighted else None)


@dataclass(frozen=True)
class GaeOptions:
    gamma: float = 1.0
    lam: float = 0.95


def generalized_advantages(reward: float, values: np.ndarray, options: GaeOptions = GaeOptions()) -> tuple[np.ndarray, np.ndarray]:
    """(advantages, returns), float64 [n] each, of the n sampled tokens of one rollout, all its segments in order.

    `values[t]` is the critic's estimate before sampled token t. Environment tokens are no steps: the next value is that of the
    next sampled token. The reward comes with the last one (Schulman et al., arXiv 1506.02438):
    δ_t = r_t + γ V_{t+1} − V_t, A_t = δ_t + γ λ A_{t+1}, R_t = A_t + V_t.
    """
    estimates = np.asarray(values, np.float64)
    advantages = np.zeros_like(estimates)
    following, ahead, come = 0.0, 0.0, reward
    for t in range(len(estimates) - 1, -1, -1):
        ahead = come + options.gamma * following - estimates[t] + options.gamma * options.lam * ahead
        advantages[t] = ahead
        following, come = estimates[t], 0.0
    return advantages, advantages + estimates


def whiten(advantages: Sequence[np.ndarray], epsilon: float = 1e-8) -> list[np.ndarray]:
    """Mean 0 and variance 1 over the tokens of all rollouts of a step: (A − mean) / √(variance (n − 1 below) + ε)."""
    tokens = np.concatenate([np.asarray(one, np.float64) for one in advantages]) if advantages else np.zeros(0)
    if len(tokens) < 2:
        return [np.asarray(one, np.float64) for one in advantages]
    return [(np.asarray(one, np.float64) - tokens.mean()) / np.sqrt(tokens.var(ddof=1) + epsilon) for one in advantages]
