"""From segments to tensors: micro-batches of whole segments within a budget of tokens, packed into one row or padded.

At each position stands what is predicted from there: position t reads token t, and target, mask, logprob, advantage and version are
those of token t + 1. What comes after the last sampled token of a segment has no loss and is not fed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class TrainSegment:
    """A segment with what the loss needs. Arrays are aligned with the tokens, and count where the mask is 1."""

    sample_id: str
    token_ids: np.ndarray
    """int32 [n]"""
    mask: np.ndarray
    """uint8 [n]"""
    logprobs: np.ndarray
    """float32 [n]: the sampler's"""
    versions: tuple[tuple[str, int], ...]
    advantages: np.ndarray
    """float32 [n]"""
    weight: float
    """Of each of its tokens in the loss (`token_weights`)."""
    returns: np.ndarray | None = None
    """float32 [n], PPO's"""
    old_values: np.ndarray | None = None
    """float32 [n], PPO's"""

    @property
    def fed(self) -> int:
        """Positions that it takes in a batch: tokens before its last sampled one. 0: none was sampled."""
        raise NotImplementedError


@dataclass(frozen=True)
class Place:
    """Segment `segment` of those that were given stands in row `row` from `start` on, `length` positions long."""

    segment: int
    row: int
    start: int
    length: int


@dataclass(frozen=True)
class MicroBatch:
    """All tensors [rows, T]; packed: one row."""

    input_ids: Tensor
    """int64"""
    position_ids: Tensor
    """int64, from 0 in each segment"""
    segment_ids: Tensor
    """int64: counts segments from 0 in each row; −1 in padding"""
    targets: Tensor
    """int64"""
    loss_mask: Tensor
    """bool"""
    behaviour_logprobs: Tensor
    """float32, as all that follows"""
    advantages: Tensor
    weights: Tensor
    returns: Tensor
    old_values: Tensor
    versions: Tensor
    """int64: index into `version_names`, −1 where nothing is predicted"""
    version_names: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def attention_mask(self) -> Tensor:
        """int64 [rows, T]: 0 in padding."""
        raise NotImplementedError

    def to(self, device: torch.device | str) -> MicroBatch: raise NotImplementedError

    def spread(self, values: Tensor, segments: Sequence[TrainSegment]) -> dict[int, np.ndarray]:
        """What was computed at each position [rows, T], by segment and aligned with its tokens: float32 [n], 0 where not sampled."""
        raise NotImplementedError


class SegmentTooLong(ValueError):
    """Its message names the segment's sample, its length and the budget."""

    code = "BATCH_SEGMENT_TOO_LONG"


def pack(
    segments: Sequence[TrainSegment], token_budget: int, *, form: Literal["packed", "padded"] = "packed", too_long: Literal["alone", "refuse"] = "alone"
) -> list[MicroBatch]:
    """Micro-batches in which every segment with a sampled token stands once. Packed: first fit, longest first, T ≤ budget.
    Padded: sorted by length, rows × T ≤ budget. A segment above the budget gets a micro-batch of its own, or raises `SegmentTooLong`."""
    raise NotImplementedError
