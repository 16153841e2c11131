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
from torch.utils.checkpoint import checkpoint

Aggregation = Literal["token_sum", "token_mean", "sequence_mean"]
KlEstimator = Literal["k1", "k2", "k3"]

LOG_RATIO_MAX = 20.0
"""Logarithms of ratios are cut at ± this before they are raised, or one token would make a step infinite."""
CHUNK = 1_024
"""Tokens whose logits are in float32 at a time: those of all, tokens × vocabulary, would be the largest tensor of a step."""


def token_weights(aggregation: Aggregation, lengths: Sequence[int], max_context: int, trajectories: int | None = None) -> list[float]:
    """The weight of each token of each rollout, one number a rollout, over all rollouts of an optimizer step.

    `lengths`: sampled tokens of each rollout, all its segments together. `trajectories`: how many the step counts, where more than
    those with a loss; default: len(lengths).
    - `token_sum`: 1 / (trajectories × max_context): SSR's; Dr. GRPO's (arXiv 2503.20783) with a constant length.
    - `token_mean`: 1 / sum of lengths: DAPO's (arXiv 2503.14476).
    - `sequence_mean`: 1 / (trajectories × own length): GRPO's (arXiv 2402.03300).
    """
    count = len(lengths) if trajectories is None else trajectories
    if count < len(lengths) or max_context < 1:
        raise ValueError(f"Cannot weigh {len(lengths)} rollouts: trajectories is {count}, max_context {max_context}; they are at least {len(lengths)} and 1")
    if aggregation == "token_sum":
        return [1 / (count * max_context)] * len(lengths)
    if aggregation == "token_mean":
        return [1 / max(sum(lengths), 1)] * len(lengths)
    return [1 / (count * max(length, 1)) for length in lengths]


def masked_sum(values: Tensor, mask: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sum of weight × value where the mask is true; the gradient elsewhere is 0, also of what is NaN there."""
    kept = torch.where(mask, values, 0)
    return kept.sum() if weights is None else (kept * torch.where(mask, weights, 0)).sum()


@dataclass(frozen=True)
class PolicyLossOptions:
    clip_low: float = 0.2
    clip_high: float = 0.28
    dual_clip: float | None = None
    """c > 1: where the advantage is negative, the loss is at most c × |advantage| (arXiv 1912.09729). None: off."""
    importance_cap: float | None = None
    """Truncated importance sampling: the correction from the sampler to `old_logprobs` is at most this. None: no correction."""

    def __post_init__(self) -> None:
        if not 0 <= self.clip_low <= 1 or self.clip_high < 0:
            raise ValueError(f"Cannot clip to [1 − {self.clip_low}, 1 + {self.clip_high}]: clip_low is 0 to 1, clip_high at least 0")
        if self.dual_clip is not None and self.dual_clip <= 1:
            raise ValueError(f"Cannot clip twice at {self.dual_clip}: dual_clip is above 1")


@dataclass(frozen=True)
class PolicyLoss:
    loss: Tensor
    """Scalar with gradient: sum of weight × token loss. What follows are sums over sampled tokens, without gradient."""
    clipped_low: Tensor
    """Tokens with a negative advantage whose ratio is below 1 − clip_low: they have no gradient."""
    clipped_high: Tensor
    """Tokens with a positive advantage whose ratio is above 1 + clip_high: they have none either."""
    clipped_dual: Tensor
    """Tokens that `dual_clip` holds."""
    ratio: Tensor
    ratio_squared: Tensor
    tokens: Tensor

    def effective_sample_size(self) -> Tensor:
        """(Σ ratio)² / Σ ratio² / tokens: the share of the tokens that the update effectively rests on, 0 to 1 (Kish)."""
        return self.ratio**2 / (self.ratio_squared * self.tokens).clamp_min(torch.finfo(self.ratio.dtype).tiny)


def policy_loss(
    logprobs: Tensor, behaviour_logprobs: Tensor, advantages: Tensor, mask: Tensor, weights: Tensor,
    options: PolicyLossOptions = PolicyLossOptions(), old_logprobs: Tensor | None = None,
) -> PolicyLoss:
    """The clipped surrogate −min(ratio A, clip(ratio, 1 − low, 1 + high) A), weighted and summed (arXiv 1707.06347).

    The ratio is to the sampler, or, where given, to `old_logprobs`: the trainer's own before this step, which
    min(exp(old − behaviour), importance_cap) then corrects. Raises ValueError for a cap without `old_logprobs`.
    """
    if options.importance_cap is not None and old_logprobs is None:
        raise ValueError("Cannot cap the importance of tokens: importance_cap needs old_logprobs, those of the trainer before the step")
    before = (behaviour_logprobs if old_logprobs is None else old_logprobs).detach()
    ratio = _ratio(logprobs, before, mask)
    gain = torch.where(mask, advantages, 0).to(ratio.dtype)
    clipped = ratio.clamp(1 - options.clip_low, 1 + options.clip_high)
    loss = torch.maximum(-gain * ratio, -gain * clipped)
    held = torch.zeros_like(mask)
    if options.dual_clip is not None:
        most = -gain * options.dual_clip
        held = (gain < 0) & (loss > most)
        loss = torch.where(gain < 0, torch.minimum(loss, most), loss)
    if options.importance_cap is not None:
        loss = loss * _ratio(before, behaviour_logprobs.detach(), mask).clamp(max=options.importance_cap)
    fixed = ratio.detach()
    return PolicyLoss(
        loss=masked_sum(loss, mask, weights),
        clipped_low=(mask & (gain < 0) & (fixed < 1 - options.clip_low)).sum(),
        clipped_high=(mask & (gain > 0) & (fixed > 1 + options.clip_high)).sum(),
        clipped_dual=(mask & held).sum(),
        ratio=masked_sum(fixed, mask), ratio_squared=masked_sum(fixed**2, mask), tokens=mask.sum(),
    )


def _ratio(logprobs: Tensor, before: Tensor, mask: Tensor) -> Tensor:
    return torch.exp(torch.where(mask, logprobs - before, 0).clamp(-LOG_RATIO_MAX, LOG_RATIO_MAX))


def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor, mask: Tensor, estimator: KlEstimator = "k3") -> Tensor:
    """Of KL(policy ‖ reference) at each token, 0 outside of the mask, with d = log policy − log reference (Schulman,
    joschu.net/blog/kl-approx.html): k1 = d, k2 = d² / 2, k3 = exp(−d) + d − 1. k1 as a loss has a mean gradient of zero."""
    difference = torch.where(mask, logprobs - reference_logprobs.detach(), 0)
    if estimator == "k1":
        return difference
    if estimator == "k2":
        return difference**2 / 2
    back = (-difference).clamp(-LOG_RATIO_MAX, LOG_RATIO_MAX)
    return torch.exp(back) - back - 1


@dataclass(frozen=True)
class ValueLoss:
    loss: Tensor
    """Scalar with gradient"""
    clipped: Tensor
    """Tokens whose clipped value is the worse one: they have no gradient."""


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, weights: Tensor, clip: float | None = 0.2) -> ValueLoss:
    """½ max((v − R)², (clip(v, old − c, old + c) − R)²), weighted and summed; `clip` None: ½ (v − R)²."""
    error = torch.where(mask, values - returns, 0) ** 2
    if clip is None:
        return ValueLoss(masked_sum(error / 2, mask, weights), torch.zeros((), dtype=torch.int64, device=mask.device))
    near = torch.maximum(torch.minimum(values, old_values + clip), old_values - clip)
    near_error = torch.where(mask, near - returns, 0) ** 2
    return ValueLoss(masked_sum(torch.maximum(error, near_error) / 2, mask, weights), (mask & (near_error > error)).sum())


@dataclass(frozen=True)
class Mismatch:
    """Sums over `tokens` sampled tokens: divide by them. Of KL(sampler ‖ trainer), with the sampler's tokens."""

    tokens: int
    k1: float
    k3: float

    def __add__(self, other: Mismatch) -> Mismatch:
        return Mismatch(self.tokens + other.tokens, self.k1 + other.k1, self.k3 + other.k3)


def mismatch_kl(logprobs: Tensor, behaviour_logprobs: Tensor, mask: Tensor, versions: Tensor, names: Sequence[str]) -> dict[str, Mismatch]:
    """By policy version: `versions` holds indices into `names`. Before an update and for the version that is trained, this is what
    sampler and trainer compute differently; for older ones it holds what was learned since, too."""
    behaviour, trainer = behaviour_logprobs.detach().double(), logprobs.detach().double()
    k1, k3 = (kl_estimate(behaviour, trainer, mask, estimator) for estimator in ("k1", "k3"))
    found: dict[str, Mismatch] = {}
    for index, name in enumerate(names):
        here = mask & (versions == index)
        tokens = int(here.sum())
        if tokens:
            found[name] = Mismatch(tokens, float(masked_sum(k1, here)), float(masked_sum(k3, here)))
    return found


def logprobs_from_logits(logits: Tensor, targets: Tensor, chunk: int = CHUNK, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """(logprobs, entropy), float32 (float64 of float64), shaped as `targets`; logits [..., V] of any float type.

    `temperature` is the sampler's: logits are divided by it. Entropies are in nats.
    """
    return logprobs_from_hidden(logits, _as_it_is, targets, chunk, temperature)


def logprobs_from_hidden(
    hidden: Tensor, head: Callable[[Tensor], Tensor], targets: Tensor, chunk: int = CHUNK, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """(logprobs, entropy), float32 (float64 of float64), shaped as `targets`; hidden [..., H], `head` makes logits [n, V] of [n, H].

    Logits are there for `chunk` tokens at a time, forward and backward: they are made again in the backward pass, so a token
    costs the head twice. Where most positions have no loss, give only those that do.
    """
    if temperature <= 0:
        raise ValueError(f"Cannot take logprobs at temperature {temperature}: it is above 0")
    rows, wanted = hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1)
    if len(rows) != len(wanted):
        raise ValueError(f"Cannot take logprobs: {len(rows)} positions, {len(wanted)} targets")

    def of_chunk(part: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return _of_logits(head(part), tokens, temperature)

    starts = range(0, max(len(rows), 1), chunk)
    parts = [checkpoint(of_chunk, rows[at : at + chunk], wanted[at : at + chunk], use_reentrant=False) for at in starts]
    logprobs, entropies = (torch.cat(column).reshape(targets.shape) for column in zip(*parts))
    return logprobs, entropies


def _as_it_is(logits: Tensor) -> Tensor:
    return logits


def _of_logits(logits: Tensor, targets: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """log softmax at the target, and H = logsumexp(z) − Σ softmax(z) z."""
    scores = (logits if logits.dtype == torch.float64 else logits.float()) / temperature
    total = torch.logsumexp(scores, -1)
    logprobs = scores.gather(-1, targets.unsqueeze(-1)).squeeze(-1) - total
    return logprobs, total - (torch.exp(scores - total.unsqueeze(-1)) * scores).sum(-1)
