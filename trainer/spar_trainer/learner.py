"""One optimizer step: micro-batches forward and backward, one gradient, one update or none.

The loss of a step is a sum over its tokens, each with its own weight (`token_weights` of losses.py), whatever micro-batch or rank it
falls to, so nothing is normalised here. FSDP averages gradients over ranks; a rank's loss therefore counts times their number.
A loss or gradient that is not finite is never applied: the step is skipped, on every rank, and said.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from .batch import MicroBatch
from .config import ModelConfig
from .distributed import Ranks, whole
from .losses import KlEstimator, Mismatch, PolicyLossOptions, kl_estimate, masked_sum, mismatch_kl, policy_loss, value_loss
from .models import Policy, Predictions
from .portions import Piece


@dataclass(frozen=True)
class Objective:
    """What is minimised. `clone`: minus the logprob of the recorded tokens; `policy`: the clipped surrogate, KL and critic."""

    kind: Literal["policy", "clone"] = "policy"
    policy: PolicyLossOptions = PolicyLossOptions()
    kl_coefficient: float = 0.0
    kl_estimator: KlEstimator = "k3"
    value_coefficient: float = 0.5
    value_clip: float | None = 0.2
    temperature: float = 1.0
    epochs: int = 1


@dataclass
class Sums:
    """Over the tokens of a rank, then of all ranks."""

    loss: float = 0.0
    kl: float = 0.0
    value_loss: float = 0.0
    entropy: float = 0.0
    clipped: float = 0.0
    ratio: float = 0.0
    ratio_squared: float = 0.0
    tokens: int = 0
    positions: int = 0
    micro_batches: int = 0
    mismatch: dict[str, Mismatch] = field(default_factory=dict)

    def add(self, other: Sums) -> None:
        for name, value in vars(other).items():
            if name != "mismatch":
                setattr(self, name, getattr(self, name) + value)
        for version, more in other.mismatch.items():
            self.mismatch[version] = self.mismatch[version] + more if version in self.mismatch else more


@dataclass(frozen=True)
class StepResult:
    loss: float
    policy_kl: float
    """Mean a token of the estimate of KL to the reference."""
    value_loss: float
    entropy: float
    """Mean a token, nats."""
    clip_fraction: float
    ratio: float
    """Mean of the ratios."""
    effective_share: float
    """(Σ ratio)² / (tokens × Σ ratio²): 1 where all tokens count alike."""
    grad_norm: float
    """Before it is scaled down."""
    learning_rate: float
    tokens: int
    """Sampled ones."""
    positions: int
    """All that went through the model."""
    micro_batches: int
    mismatch: dict[str, Mismatch]
    skipped: str | None
    """Why the last update was not applied, or None."""


class Learner:
    def __init__(self, policy: Policy, reference: Policy | None, objective: Objective, config: ModelConfig, ranks: Ranks) -> None:
        self.policy = policy
        self.reference = reference
        self.objective = objective
        self.config = config
        self.ranks = ranks
        self.updates = 0
        """Updates that were tried: what the learning rate goes by."""
        self.optimizer = adamw(policy, config)

    def step(self, portions: Sequence[Sequence[Piece]] | None) -> StepResult:
        """On every rank; rank 0 gives the portions of all. The result is that of all ranks on rank 0."""
        pieces = self.ranks.scatter(portions)
        kept = [self._before_update(piece.batch.to(self.ranks.device)) for piece in pieces]
        for _ in range(self.objective.epochs):
            sums = Sums()
            self.optimizer.zero_grad(set_to_none=True)
            for piece, before in zip(pieces, kept):
                sums.add(self._backward(piece, before))
            norm, skipped, learning_rate = self._update(self.ranks.total(sums.loss))
        everybody = self.ranks.gather(sums)
        total = Sums()
        for one in everybody or [sums]:
            total.add(one)
        return result(total, norm, learning_rate, skipped)

    @torch.no_grad()
    def values(self, portions: Sequence[Sequence[Piece]] | None) -> dict[int, Tensor]:
        """The critic's values before the step, float32 [rows, T] by micro-batch, on rank 0."""
        mine: dict[int, Tensor] = {}
        for piece in self.ranks.scatter(portions):
            batch = piece.batch.to(self.ranks.device)
            values = torch.zeros_like(batch.weights)
            predicted = self._predict(self.policy, batch).values
            assert predicted is not None
            values[batch.loss_mask] = predicted
            if piece.counts:
                mine[piece.index] = values.cpu()
        return {index: values for part in self.ranks.gather(mine) or [] for index, values in part.items()}

    def _predict(self, policy: Policy, batch: MicroBatch) -> Predictions:
        padded = batch.attention_mask if policy.form == "padded" else None
        with self._precision():
            return policy(batch.input_ids, batch.position_ids, padded, batch.loss_mask, batch.targets, self.objective.temperature)

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        """FSDP casts by itself."""
        if self.config.dtype == "fp32" or self.ranks.size > 1:
            return contextlib.nullcontext()
        return torch.autocast(self.ranks.device.type, torch.bfloat16)

    @torch.no_grad()
    def _before_update(self, batch: MicroBatch) -> tuple[Tensor | None, Tensor | None]:
        """Logprobs of the trainer's own model, where ratios are to them, and of the reference."""
        objective = self.objective
        old = self._predict(self.policy, batch).logprobs if objective.policy.importance_cap is not None else None
        if objective.kl_coefficient == 0:
            return old, None
        if self.reference is not None:
            return old, self._predict(self.reference, batch).logprobs
        with self.policy.as_reference() as reference:
            return old, self._predict(reference, batch).logprobs

    def _backward(self, piece: Piece, before: tuple[Tensor | None, Tensor | None]) -> Sums:
        batch = piece.batch.to(self.ranks.device)
        predictions = self._predict(self.policy, batch)
        loss, sums = self._loss(predictions, batch, *before)
        (loss * self.ranks.size).backward()
        if not piece.counts:
            return Sums()
        sums.loss = float(loss.detach())
        sums.entropy = float(predictions.entropy.detach().sum())
        sums.tokens = predictions.logprobs.numel()
        sums.positions = batch.tokens
        sums.micro_batches = 1
        return sums

    def _loss(self, predictions: Predictions, batch: MicroBatch, old: Tensor | None, reference: Tensor | None) -> tuple[Tensor, Sums]:
        """Of the positions with a loss, in one dimension."""
        objective, at = self.objective, batch.loss_mask
        weights, mask = batch.weights[at], torch.ones_like(predictions.logprobs, dtype=torch.bool)
        if objective.kind == "clone":
            return -masked_sum(predictions.logprobs, mask, weights), Sums()
        behaviour = batch.behaviour_logprobs[at]
        surrogate = policy_loss(predictions.logprobs, behaviour, batch.advantages[at], mask, weights, objective.policy, old)
        loss = surrogate.loss
        clipped = surrogate.clipped_low + surrogate.clipped_high + surrogate.clipped_dual
        sums = Sums(clipped=float(clipped), ratio=float(surrogate.ratio), ratio_squared=float(surrogate.ratio_squared))
        sums.mismatch = mismatch_kl(predictions.logprobs.detach(), behaviour, mask, batch.versions[at], batch.version_names)
        if reference is not None:
            estimate = kl_estimate(predictions.logprobs, reference, mask, objective.kl_estimator)
            loss = loss + objective.kl_coefficient * masked_sum(estimate, mask, weights)
            sums.kl = float(estimate.detach().sum())
        if predictions.values is not None:
            critic = value_loss(predictions.values, batch.old_values[at], batch.returns[at], mask, weights, objective.value_clip).loss
            loss = loss + objective.value_coefficient * critic
            sums.value_loss = float(critic.detach())
        return loss, sums

    def _update(self, loss: float) -> tuple[float, str | None, float]:
        """(norm of the gradient, why it was not applied or None, learning rate)"""
        learning_rate = self.config.learning_rate * rate_share(self.updates, self.config)
        self.updates += 1
        trained = [parameter for parameter in self.policy.parameters() if parameter.requires_grad]
        norm = float(whole(torch.nn.utils.clip_grad_norm_(trained, self.config.max_grad_norm)))
        skipped = None
        if not math.isfinite(loss):
            skipped = f"the loss is {loss}"
        elif not math.isfinite(norm):
            skipped = f"the norm of the gradient is {norm}"
        else:
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm, skipped, learning_rate


def rate_share(update: int, config: ModelConfig) -> float:
    """The share of the learning rate of update `update`, from 0; the first is not zero."""
    warm = 1.0 if config.warmup_steps == 0 else min(1.0, (update + 1) / config.warmup_steps)
    fallen = 0.0 if config.decay_steps == 0 else min(1.0, update / config.decay_steps)
    return warm * (1 - fallen * (1 - config.decay_to))


def adamw(policy: Policy, config: ModelConfig) -> torch.optim.AdamW:
    """Matrices decay, vectors do not."""
    trained = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [parameter for parameter in trained if parameter.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.learning_rate)


def result(sums: Sums, norm: float, learning_rate: float, skipped: str | None) -> StepResult:
    tokens = max(1, sums.tokens)
    return StepResult(
        loss=sums.loss, policy_kl=sums.kl / tokens, value_loss=sums.value_loss, entropy=sums.entropy / tokens, clip_fraction=sums.clipped / tokens,
        ratio=sums.ratio / tokens, effective_share=sums.ratio**2 / (tokens * sums.ratio_squared) if sums.ratio_squared > 0 else 0.0,
        grad_norm=norm, learning_rate=learning_rate, tokens=sums.tokens, positions=sums.positions, micro_batches=sums.micro_batches,
        mismatch=sums.mismatch, skipped=skipped,
    )
