"""Keys and values of the batch: one padded row for each request that runs, and the store of finished turns to go on from.

Rows are dense: what runs stands in the rows from 0, and where one leaves, the last takes its place. So a step reads rows as one
view and copies nothing. The tensors grow by doubling up to the context, since few conversations use all of it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

REUSED_TOKENS_MIN = 8
FIRST_TOKENS = 256


@dataclass(frozen=True)
class KvShape:
    layers: int
    heads: int
    head_size: int


class KeyValues:
    """`keys` and `values`: [layers, rows, heads, tokens, head size]. What was never written is 0, since a masked NaN is a NaN."""

    def __init__(self, shape: KvShape, rows: int, context_max: int, dtype: torch.dtype, device: torch.device) -> None:
        self._shape = shape
        self._context_max = context_max
        self._options = {"dtype": dtype, "device": device}
        tokens = min(FIRST_TOKENS, context_max)
        self.keys = torch.zeros(shape.layers, rows, shape.heads, tokens, shape.head_size, **self._options)
        self.values = torch.zeros_like(self.keys)

    def reserve(self, tokens: int) -> None:
        """Room for so many tokens in every row. Where memory cannot be had (RuntimeError), what there is stays as it is."""
        for name in ("keys", "values"):
            before: Tensor = getattr(self, name)
            layers, rows, heads, room, size = before.shape
            if tokens <= room:
                continue
            grown = min(self._context_max, max(tokens, 2 * room))
            after = torch.zeros(layers, rows, heads, grown, size, **self._options)
            after[:, :, :, :room] = before
            setattr(self, name, after)

    def move(self, source: int, target: int, tokens: int) -> None:
        for tensor in (self.keys, self.values):
            tensor[:, target, :, :tokens] = tensor[:, source, :, :tokens]

    def wipe(self, row: int) -> None:
        for tensor in (self.keys, self.values):
            tensor[:, row] = 0

    def size(self, tokens: int) -> int:
        """Bytes of what `read` gives."""
        shape = self._shape
        return 2 * shape.layers * shape.heads * tokens * shape.head_size * self.keys.element_size()

    def read(self, row: int, tokens: int) -> Tensor:
        """A copy: [2, layers, heads, tokens, head size]."""
        return torch.stack((self.keys[:, row, :, :tokens], self.values[:, row, :, :tokens]))

    def write(self, row: int, kept: Tensor, tokens: int) -> None:
        self.reserve(tokens)
        self.keys[:, row, :, :tokens] = kept[0, :, :, :tokens]
        self.values[:, row, :, :tokens] = kept[1, :, :, :tokens]


def common_prefix(one: np.ndarray, other: np.ndarray) -> int:
    most = min(len(one), len(other))
    differs = one[:most] != other[:most]
    return int(differs.argmax()) if differs.any() else most


class PrefixStore:
    """Finished turns by their tokens, the least recently used going first. A turn that goes on from another replaces it."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._entries: OrderedDict[int, tuple[np.ndarray, Tensor]] = OrderedDict()
        self._next = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, prompt: np.ndarray) -> tuple[Tensor, int] | None:
        """What was kept, and how many tokens from the start of the prompt it stands for."""
        best, length = -1, REUSED_TOKENS_MIN - 1
        for key, (tokens, _) in self._entries.items():
            common = common_prefix(tokens, prompt)
            if common > length:
                best, length = key, common
        if best < 0:
            return None
        self._entries.move_to_end(best)
        return self._entries[best][1], length

    def takes(self, size: int) -> bool:
        """Bytes; what is larger than the whole store is not worth a copy."""
        return size <= self._bytes_max

    def keep(self, tokens: np.ndarray, kept: Tensor) -> None:
        size = kept.numel() * kept.element_size()
        if not self.takes(size):
            return
        commons = {key: common_prefix(held, tokens) for key, (held, _) in self._entries.items()}
        if len(tokens) in commons.values():
            return
        for key in [key for key, common in commons.items() if common == len(self._entries[key][0])]:
            self._drop(key)
        self._entries[self._next] = (tokens, kept)
        self._next += 1
        self.bytes += size
        while self.bytes > self._bytes_max:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: int) -> None:
        kept = self._entries.pop(key)[1]
        self.bytes -= kept.numel() * kept.element_size()

    def clear(self) -> None:
        self._entries.clear()
        self.bytes = 0
