"""The micro-batches of a step, dealt out to the ranks: the same number for each, since every rank takes part in every forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from .batch import MicroBatch


@dataclass(frozen=True)
class Piece:
    batch: MicroBatch
    index: int
    """Of the micro-batch within the step."""
    counts: bool = True
    """False: stands in for one that its rank does not have. Its weights are zero, and it is in no figure."""


def deal(batches: Sequence[MicroBatch], ranks: int) -> list[list[Piece]]:
    """Longest first, each to the rank with the fewest positions so far among those with the fewest micro-batches."""
    order = sorted(range(len(batches)), key=lambda index: (-batches[index].tokens, index))
    portions: list[list[Piece]] = [[] for _ in range(ranks)]
    positions = [0] * ranks
    for index in order:
        rank = min(range(ranks), key=lambda candidate: (len(portions[candidate]), positions[candidate], candidate))
        portions[rank].append(Piece(batches[index], index))
        positions[rank] += batches[index].tokens
    most = max(len(portion) for portion in portions)
    filler = blank(batches[order[-1]]) if order else None
    for portion in portions:
        portion.extend([Piece(filler, -1, counts=False)] * (most - len(portion)) if filler is not None else [])
    return portions


def blank(batch: MicroBatch) -> MicroBatch:
    """The same tokens, whose loss is zero."""
    return replace(batch, weights=torch.zeros_like(batch.weights))
