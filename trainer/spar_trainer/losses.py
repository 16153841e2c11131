"""Losses of the policy and of the critic, and what is measured beside them: pure functions of tensors.

Every per-token tensor of one call has the same shape, whatever it is. `mask` is true at sampled tokens; what stands elsewhere is
never looked at, NaN included. `weights` say what a token's loss counts (`token_weights`), so that a loss is a plain sum:
micro-batches and ranks add up to the loss of the whole step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Aggregation = Literal["token_sum", "token_mean", "sequence_mean"]
KlEstimator = Literal["k1", "k2", "k3"]


def token_weights(aggregation: Aggregation, lengths: Sequence[int], max_context: int, trajectories: int | None = None) -> list[float]:
    """The weight of each token of each rollout, one number a rollout, over all rollouts of an optimizer step.

    `lengths`: sampled tokens of each rollout, all segments together. `trajectories`: how many the step has, where more than
    those with a loss; default: len(lengths).
    - `token_sum`: 1 / (trajectories × max_context): SSR's, Dr. GRPO's with a constant length.
    - `token_mean`: 1 / sum of lengths: DAPO's.
    - `sequence_mean`: 1 / (trajectories × own length): GRPO's.
    """
    raise NotImplementedError


@dataclass(frozen=True)
class PolicyLossOptions:
    clip_low: float = 0.2
    clip_high: float = 0.28
    dual_clip: float | None = None
    """c > 1: where the advantage is negative, the loss is at most c × |advantage|. None: off."""
    importance_cap: float | None = None
    """Truncated importance sampling; needs `old_logprobs`. None: off."""


@dataclass(frozen=True)
class PolicyLoss:
    loss: Tensor
    """Scalar with gradient: sum of weight × token loss."""
    clipped: Tensor
    """Of the rest, sums over sampled tokens without gradient: divide by `tokens`. Tokens whose gradient the clip took."""
    ratio: Tensor
    """Sum of ratios."""
    ratio_squared: Tensor
    """Sum of squared ratios: (ratio² / ratio_squared) / tokens is the effective share of the samples."""
    tokens: Tensor


def policy_loss(
    logprobs: Tensor, behaviour_logprobs: Tensor, advantages: Tensor, mask: Tensor, weights: Tensor,
    options: PolicyLossOptions = PolicyLossOptions(), old_logprobs: Tensor | None = None,
) -> PolicyLoss:
    """Clipped surrogate. The ratio is to the sampler (`behaviour_logprobs`), or to `old_logprobs` (the trainer's own before this
    step), which are then corrected by min(exp(old − behaviour), importance_cap)."""
    raise NotImplementedError


def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor, estimator: KlEstimator = "k3") -> Tensor:
    """Per token, of KL(policy ‖ reference), with the policy's own samples."""
    raise NotImplementedError


def masked_sum(values: Tensor, mask: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sum of weight × value where the mask is true."""
    raise NotImplementedError


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, weights: Tensor, clip: float | None = 0.2) -> tuple[Tensor, Tensor]:
    """(loss, tokens whose value was clipped): ½ max((v − R)², (clip(v, old ± clip) − R)²), summed with the weights."""
    raise NotImplementedError


def logprobs_from_logits(logits: Tensor, targets: Tensor, chunk: int = 1_024, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """(logprobs, entropy), float32, shaped as `targets`; logits [..., V]."""
    raise NotImplementedError


def logprobs_from_hidden(
    hidden: Tensor, head: Callable[[Tensor], Tensor], targets: Tensor, chunk: int = 1_024, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """(logprobs, entropy), float32, shaped as `targets`; hidden [..., H], `head` makes logits [chunk, V] of [chunk, H].

    Logits exist for `chunk` tokens at a time, forward and backward: they are made again in the backward pass.
    """
    raise NotImplementedError


@dataclass(frozen=True)
class Mismatch:
    """Sums over `tokens` sampled tokens; divide by them. KL(sampler ‖ trainer) with the sampler's tokens."""

    tokens: int
    k1: float
    k3: float


def mismatch_kl(logprobs: Tensor, behaviour_logprobs: Tensor, mask: Tensor, versions: Tensor, names: Sequence[str]) -> dict[str, Mismatch]:
    """By policy version; `versions` holds indices into `names`."""
    raise NotImplementedError
