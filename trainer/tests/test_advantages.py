"""Advantages against hand-worked values, and against references of their own: the formulas that verl (verl/trainer/ppo/core_algos.py)
and trl (trl/trainer/grpo_trainer.py) publish, as plain loops in float64 on random inputs, relative error at most 1e-6."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from spar_trainer.advantages import GaeOptions, GroupAdvantageOptions, generalized_advantages, group_advantages, whiten

PLAIN = GroupAdvantageOptions(baseline="mean")
CLOSE = {"rel": 1e-6, "abs": 1e-12}


@pytest.mark.parametrize("rewards, expected", [
    ([1, 1, 0], [1 / 3, 1 / 3, -2 / 3]),
    ([1, None, 0, 0], [2 / 3, None, -1 / 3, -1 / 3]),
    ([1, 1], [0, 0]),
    ([-1], [0]),
    ([None, None], [None, None]),
    ([], []),
])
def test_the_plain_mean(rewards: list[float | None], expected: list[float | None]) -> None:
    assert group_advantages(rewards, [5] * len(rewards), PLAIN) == pytest.approx(expected)


@pytest.mark.parametrize("rewards, lengths, expected", [
    # (1·100 − 1·300) / 400 = −0.5
    ([1, -1], [100, 300], [1.5, -0.5]),
    # The masked one has no weight either: (1·1 + 0·3) / 4 = 0.25
    ([1, None, 0], [1, 1_000, 3], [0.75, None, -0.25]),
    # A program has a reward and no tokens.
    ([1, 0, 0], [10, 0, 30], [0.75, -0.25, -0.25]),
    ([1, 0], [0, 0], [0.5, -0.5]),
])
def test_the_mean_weighted_by_length(rewards: list[float | None], lengths: list[int], expected: list[float | None]) -> None:
    assert group_advantages(rewards, lengths) == pytest.approx(expected)


def test_the_sum_over_all_tokens_of_weighted_advantages_is_zero() -> None:
    lengths = [3, 11, 200, 7]
    found = group_advantages([1, -1, -1, 1], lengths)
    assert sum(length * advantage for length, advantage in zip(lengths, found) if advantage is not None) == pytest.approx(0)


def test_leave_one_out_and_division_by_the_deviation() -> None:
    assert group_advantages([1, 0, 0, None], [1] * 4, GroupAdvantageOptions(baseline="leave_one_out")) == pytest.approx([1, -0.5, -0.5, None])
    # mean 0.5, deviation with n − 1: √(4 · 0.25 / 3)
    scaled = group_advantages([1, 1, 0, 0], [1] * 4, GroupAdvantageOptions(baseline="mean", scale="std", epsilon=0))
    assert scaled == pytest.approx([0.5 / math.sqrt(1 / 3)] * 2 + [-0.5 / math.sqrt(1 / 3)] * 2)
    assert group_advantages([1, 1], [1, 1], GroupAdvantageOptions(scale="std")) == [0, 0]


def random_group(seed: int) -> tuple[list[float], list[int]]:
    draw = random.Random(seed)
    size = draw.randint(2, 16)
    return [draw.uniform(-1, 1) for _ in range(size)], [draw.randint(1, 10_000) for _ in range(size)]


@pytest.mark.parametrize("seed", range(20))
def test_verls_and_trls_group_advantages(seed: int) -> None:
    rewards, lengths = random_group(seed)
    n = len(rewards)
    mean = sum(rewards) / n
    deviation = math.sqrt(sum((reward - mean) ** 2 for reward in rewards) / (n - 1))
    # verl compute_grpo_outcome_advantage and trl scale_rewards: (r − mean) / (std + ε), std with n − 1; ε is 1e-6 and 1e-4
    for epsilon in (1e-6, 1e-4):
        options = GroupAdvantageOptions(baseline="mean", scale="std", epsilon=epsilon)
        assert group_advantages(rewards, lengths, options) == pytest.approx([(reward - mean) / (deviation + epsilon) for reward in rewards], **CLOSE)
    # verl compute_rloo_outcome_advantage: r · n / (n − 1) − mean · n / (n − 1)
    rloo = [reward * n / (n - 1) - mean * n / (n - 1) for reward in rewards]
    assert group_advantages(rewards, lengths, GroupAdvantageOptions(baseline="leave_one_out")) == pytest.approx(rloo, **CLOSE)
    # verl compute_opo_outcome_advantage: r − Σ length · r / Σ length
    weighted = sum(length * reward for length, reward in zip(lengths, rewards)) / sum(lengths)
    assert group_advantages(rewards, lengths) == pytest.approx([reward - weighted for reward in rewards], **CLOSE)


def test_generalized_advantages_by_hand() -> None:
    # γ = 0.5, λ = 0.5, V = [1, 2], reward 3: δ₁ = 3 − 2 = 1, A₁ = 1; δ₀ = 0.5·2 − 1 = 0, A₀ = 0 + 0.25·1
    advantages, returns = generalized_advantages(3, np.array([1.0, 2.0]), GaeOptions(gamma=0.5, lam=0.5))
    assert advantages.tolist() == [0.25, 1] and returns.tolist() == [1.25, 3]


def test_with_neither_discount_the_advantage_is_what_is_missing_to_the_reward() -> None:
    advantages, returns = generalized_advantages(-1, np.array([0.5, -0.25, 0.0]), GaeOptions(gamma=1, lam=1))
    assert advantages.tolist() == pytest.approx([-1.5, -0.75, -1]) and returns.tolist() == pytest.approx([-1, -1, -1])


@pytest.mark.parametrize("seed", range(10))
def test_verls_generalized_advantages_skip_what_was_given(seed: int) -> None:
    """verl compute_gae_advantage_return walks over all tokens of a response, holds value and advantage over those that the environment
    gave, and whitens: (A − mean) / √(var + 1e-8) over the mask, var with n − 1. Ours is given the sampled tokens alone."""
    draw = np.random.default_rng(seed)
    gamma, lam, length = draw.uniform(0.8, 1), draw.uniform(0.5, 1), 40
    masks, values, rewards = draw.integers(0, 2, (3, length)), draw.normal(size=(3, length)), draw.normal(size=3)
    masks[:, -1] = 1
    advantages, returns = np.zeros((3, length)), np.zeros((3, length))
    for row in range(3):
        following = ahead = 0.0
        for t in reversed(range(length)):
            delta = (rewards[row] if t == length - 1 else 0.0) + gamma * following - values[row, t]
            new = delta + gamma * lam * ahead
            following = values[row, t] if masks[row, t] else following
            ahead = new if masks[row, t] else ahead
            advantages[row, t], returns[row, t] = ahead, ahead + values[row, t]
    kept = [advantages[row, t] for row in range(3) for t in range(length) if masks[row, t]]
    mean = sum(kept) / len(kept)
    variance = sum((one - mean) ** 2 for one in kept) / (len(kept) - 1)
    found = [generalized_advantages(rewards[row], values[row][masks[row] == 1], GaeOptions(gamma, lam)) for row in range(3)]
    for row, white in enumerate(whiten([one for one, _ in found])):
        drawn = masks[row] == 1
        np.testing.assert_allclose(found[row][0], advantages[row][drawn], rtol=1e-6)
        np.testing.assert_allclose(found[row][1], returns[row][drawn], rtol=1e-6)
        np.testing.assert_allclose(white, (advantages[row][drawn] - mean) / math.sqrt(variance + 1e-8), rtol=1e-6)


def test_whitening_needs_two_tokens() -> None:
    assert [one.tolist() for one in whiten([np.array([3.0]), np.array([])])] == [[3.0], []] and whiten([]) == []
