"""What one step of the engine computes: one token of each row that decodes, and pieces of the prompts that are still to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .key_values import KeyValues, KvShape


@dataclass(frozen=True)
class Piece:
    """Tokens of one row from `start` on. The keys and values of what stands before are there."""

    row: int
    start: int
    tokens: Sequence[int]
    wants_logits: bool


class CausalModel(Protocol):
    """Weights of one version. Another version is another object of the same shape."""

    kv_shape: KvShape
    vocabulary: int
    dtype: torch.dtype
    device: torch.device
    shapes: dict[str, tuple[int, ...]]
    """Of every weight that the forward reads, by name: what another version has to have as well."""

    def forward(self, pieces: Sequence[Piece], kv: KeyValues) -> Tensor:
        """[M, V] float32 logits behind the last tokens of the pieces that want them, in order; writes keys and values."""
        ...
