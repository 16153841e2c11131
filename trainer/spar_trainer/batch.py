"""From segments to tensors: micro-batches of whole segments within a budget of tokens, packed into one row or padded.

At each position stands what is predicted from there: position t reads token t, and target, mask, logprob, advantage and version are
those of token t + 1. What comes behind the last sampled token of a segment has no loss and is not fed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .errors import TrainerError


@dataclass(frozen=True)
class TrainSegment:
    """A segment with what the loss needs. Arrays are aligned with its tokens, and count where the mask is 1."""

    sample_id: str
    token_ids: np.ndarray
    """int32 [n]"""
    mask: np.ndarray
    """uint8 [n]; the first is never 1."""
    logprobs: np.ndarray
    """float32 [n]: the sampler's"""
    versions: tuple[tuple[str, int], ...]
    """Runs (version, tokens), together n tokens."""
    advantages: np.ndarray | float
    """float32 [n], or one for all of its tokens."""
    weight: float
    """Of each of its tokens in the loss (`token_weights`)."""
    returns: np.ndarray | None = None
    """float32 [n], PPO's; None: zeros."""
    old_values: np.ndarray | None = None
    """float32 [n], PPO's; None: zeros."""

    @property
    def fed(self) -> int:
        """Positions that it takes in a batch: the tokens before its last sampled one. 0: none was sampled."""
        drawn = np.flatnonzero(self.mask)
        return int(drawn[-1]) if len(drawn) else 0


@dataclass(frozen=True)
class Place:
    """Segment `segment` of those that were given stands in row `row` from `start` on, `length` positions long."""

    segment: int
    row: int
    start: int
    length: int


@dataclass(frozen=True)
class MicroBatch:
    """All tensors [rows, T]; packed: one row. Floats are float32."""

    input_ids: Tensor
    """int64"""
    position_ids: Tensor
    """int64, from 0 in each segment: attention must not cross where they restart."""
    segment_ids: Tensor
    """int64: which of the segments that were given, −1 in padding."""
    targets: Tensor
    """int64"""
    loss_mask: Tensor
    """bool"""
    behaviour_logprobs: Tensor
    advantages: Tensor
    weights: Tensor
    returns: Tensor
    old_values: Tensor
    versions: Tensor
    """int64: index into `version_names`, −1 where the target was not sampled."""
    version_names: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def attention_mask(self) -> Tensor:
        """int64: 1 where a token stands, 0 in padding."""
        return (self.segment_ids >= 0).long()

    @property
    def tokens(self) -> int:
        """Positions that are no padding."""
        return sum(place.length for place in self.places)

    def to(self, device: torch.device | str) -> MicroBatch:
        moved = {one.name: value.to(device) for one in fields(self) if isinstance(value := getattr(self, one.name), Tensor)}
        return replace(self, **moved)

    def spread(self, values: Tensor, segments: Sequence[TrainSegment]) -> dict[int, np.ndarray]:
        """What was computed at each position [rows, T], by segment: float32 [n] aligned with its tokens, 0 where none was sampled."""
        known = torch.where(self.loss_mask, values.detach(), 0).float().cpu().numpy()
        found = {}
        for place in self.places:
            aligned = found[place.segment] = np.zeros(len(segments[place.segment].token_ids), np.float32)
            aligned[1 : place.length + 1] = known[place.row, place.start : place.start + place.length]
        return found


def pack(
    segments: Sequence[TrainSegment], token_budget: int, *,
    form: Literal["packed", "padded"] = "packed", too_long: Literal["alone", "refuse"] = "alone",
) -> list[MicroBatch]:
    """Micro-batches in which every segment with a sampled token stands once.

    Packed: T ≤ budget, first fit, longest first. Padded: rows of like length, rows × T ≤ budget. A segment above the budget gets a
    micro-batch of its own, or raises TrainerError BATCH_SEGMENT_TOO_LONG.
    """
    if token_budget < 1:
        raise TrainerError("BATCH_BUDGET", f"Cannot pack into {token_budget} tokens: a token budget is at least 1")
    fed = [segment.fed for segment in segments]
    longest_first = sorted((index for index, length in enumerate(fed) if length), key=lambda index: -fed[index])
    if too_long == "refuse" and longest_first and fed[longest_first[0]] > token_budget:
        worst = segments[longest_first[0]]
        raise TrainerError(
            "BATCH_SEGMENT_TOO_LONG",
            f"Cannot pack a segment of {worst.sample_id!r}: its {worst.fed} tokens are more than the budget of {token_budget}; raise the budget or filter by length",
        )
    if form == "packed":
        return [_fill(segments, _in_one_row(indices, fed)) for indices in _first_fit(longest_first, fed, token_budget)]
    return [_fill(segments, _in_rows(indices, fed)) for indices in _alike(longest_first, fed, token_budget)]


def _first_fit(longest_first: Sequence[int], fed: Sequence[int], budget: int) -> list[list[int]]:
    bins: list[list[int]] = []
    room: list[int] = []
    for index in longest_first:
        fitting = next((at for at, left in enumerate(room) if left >= fed[index]), None)
        if fitting is None:
            bins.append([index])
            room.append(budget - fed[index])
        else:
            bins[fitting].append(index)
            room[fitting] -= fed[index]
    return bins


def _alike(longest_first: Sequence[int], fed: Sequence[int], budget: int) -> list[list[int]]:
    bins: list[list[int]] = []
    for index in longest_first:
        if bins and (len(bins[-1]) + 1) * fed[bins[-1][0]] <= budget:
            bins[-1].append(index)
        else:
            bins.append([index])
    return bins


def _in_one_row(indices: Sequence[int], fed: Sequence[int]) -> list[Place]:
    starts = np.cumsum([0] + [fed[index] for index in indices])
    return [Place(index, 0, int(start), fed[index]) for index, start in zip(indices, starts)]


def _in_rows(indices: Sequence[int], fed: Sequence[int]) -> list[Place]:
    return [Place(index, row, 0, fed[index]) for row, index in enumerate(indices)]


def _fill(segments: Sequence[TrainSegment], places: Sequence[Place]) -> MicroBatch:
    shape = (places[-1].row + 1, max(place.start + place.length for place in places))
    whole = {name: np.zeros(shape, np.int64) for name in ("input_ids", "position_ids", "targets")}
    marks = {name: np.full(shape, -1, np.int64) for name in ("segment_ids", "versions")}
    reals = {name: np.zeros(shape, np.float32) for name in ("behaviour_logprobs", "advantages", "weights", "returns", "old_values")}
    loss_mask = np.zeros(shape, np.bool_)
    names: dict[str, int] = {}
    for place in places:
        segment = segments[place.segment]
        read, predicted = slice(0, place.length), slice(1, place.length + 1)
        where = (place.row, slice(place.start, place.start + place.length))
        drawn = segment.mask[predicted] == 1
        loss_mask[where] = drawn
        whole["input_ids"][where] = segment.token_ids[read]
        whole["position_ids"][where] = np.arange(place.length)
        whole["targets"][where] = segment.token_ids[predicted]
        marks["segment_ids"][where] = place.segment
        marks["versions"][where] = np.where(drawn, _version_indices(segment, names)[predicted], -1)
        for name, value in _reals_of(segment).items():
            reals[name][where] = np.where(drawn, value[predicted] if isinstance(value, np.ndarray) else value, 0)
    tensors = {name: torch.from_numpy(array) for name, array in {**whole, **marks, **reals, "loss_mask": loss_mask}.items()}
    return MicroBatch(**tensors, version_names=tuple(names), places=tuple(places))


def _reals_of(segment: TrainSegment) -> dict[str, np.ndarray | float]:
    return {
        "behaviour_logprobs": segment.logprobs, "advantages": segment.advantages, "weights": segment.weight,
        "returns": 0.0 if segment.returns is None else segment.returns,
        "old_values": 0.0 if segment.old_values is None else segment.old_values,
    }


def _version_indices(segment: TrainSegment, names: dict[str, int]) -> np.ndarray:
    """Of each token; `names` grows by those that are new."""
    indices = [names.setdefault(version, len(names)) for version, _ in segment.versions]
    return np.repeat(np.array(indices, np.int64), [length for _, length in segment.versions])
