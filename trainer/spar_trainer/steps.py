"""From the samples of a step to micro-batches: each token with its advantage and its weight in the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch import Tensor

from .advantages import GaeOptions, generalized_advantages, whiten
from .batch import MicroBatch, TrainSegment, pack
from .config import TrainConfig
from .intake import Kept
from .learner import Objective
from .losses import PolicyLossOptions, token_weights
from .portions import Piece, deal
from .records import Sample

Portions = list[list[Piece]]
Values = Callable[[Portions], dict[int, Tensor]]
"""The critic's values at each position, by micro-batch."""


@dataclass(frozen=True)
class Packing:
    budget: int
    """Tokens of a micro-batch."""
    form: Literal["packed", "padded"]
    ranks: int

    def __call__(self, segments: Sequence[TrainSegment]) -> tuple[list[MicroBatch], Portions]:
        batches = pack(segments, self.budget, form=self.form)
        return batches, deal(batches, self.ranks)


def objective_of(config: TrainConfig) -> Objective:
    return Objective(
        policy=PolicyLossOptions(config.clip_low, config.clip_high, config.dual_clip or None, config.importance_cap or None),
        kl_coefficient=config.kl_coefficient, kl_estimator=config.kl_estimator,  # type: ignore[arg-type]
        value_coefficient=config.value_coefficient, value_clip=config.value_clip or None, temperature=config.temperature, epochs=config.epochs,
    )


def policy_portions(kept: Sequence[Kept], config: TrainConfig, packing: Packing, values: Values) -> Portions:
    """`values` is asked for PPO only."""
    weights = token_weights(config.aggregation, [one.sample.sampled for one in kept], config.max_context)  # type: ignore[arg-type]
    segments = [segment for one, weight in zip(kept, weights) for segment in segments_of(one.sample, one.advantage, weight)]
    batches, portions = packing(segments)
    if config.algorithm == "grpo":
        return portions
    estimates = {index: values_of for number, at in values(portions).items() for index, values_of in batches[number].spread(at, segments).items()}
    rewards = {one.sample.id: one.sample.reward or 0.0 for one in kept}
    return packing(with_critic(segments, estimates, rewards, GaeOptions(config.gamma, config.gae_lambda)))[1]


def clone_portions(samples: Sequence[Sequence[TrainSegment]], packing: Packing) -> Portions:
    """Every drawn token of the step counts alike."""
    [weight, *_] = token_weights("token_mean", [sum(int(segment.mask.sum()) for segment in segments) for segments in samples], 1)
    return packing([replace(segment, weight=weight) for segments in samples for segment in segments])[1]


def segments_of(sample: Sample, advantage: float, weight: float) -> list[TrainSegment]:
    """All segments of a rollout with a drawn token share its advantage and its weight."""
    return [
        TrainSegment(
            sample.id, segment.token_ids, segment.mask,
            segment.logprobs if segment.logprobs is not None else np.zeros(len(segment.token_ids), np.float32),
            segment.versions, advantage, weight,
        )
        for segment in sample.segments if segment.sampled
    ]


def with_critic(
    segments: Sequence[TrainSegment], values: dict[int, np.ndarray], rewards: dict[str, float], options: GaeOptions
) -> list[TrainSegment]:
    """Advantages over the drawn tokens of each rollout, all of its segments in order, whitened over the step; returns are not."""
    of_sample: dict[str, list[int]] = {}
    for index, segment in enumerate(segments):
        of_sample.setdefault(segment.sample_id, []).append(index)
    estimated = {}
    for id, indices in of_sample.items():
        drawn = np.concatenate([values[index][segments[index].mask == 1] for index in indices])
        estimated[id] = generalized_advantages(rewards[id], drawn, options)
    whitened = dict(zip(estimated, whiten([advantages for advantages, _ in estimated.values()])))
    placed = list(segments)
    for id, indices in of_sample.items():
        at = 0
        for index in indices:
            mask = segments[index].mask == 1
            part = slice(at, at := at + int(mask.sum()))
            placed[index] = replace(
                segments[index], advantages=aligned(mask, whitened[id][part]), returns=aligned(mask, estimated[id][1][part]), old_values=values[index]
            )
    return placed


def aligned(mask: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """float32 [n] with `drawn` where the mask is true."""
    whole = np.zeros(len(mask), np.float32)
    whole[mask] = drawn
    return whole


