"""The forward of any other causal LM of transformers: its own code, with keys and values in the engine's rows.

Slower than the lean forward: one call for all rows that decode, and one for each piece of a prompt.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache

from .batch import Piece
from .key_values import KeyValues, KvShape


class RowsCache(Cache):
    """What a model's attention sees of the rows `first` to `end`: it writes at `positions` [rows, tokens] and reads `length` tokens."""

    def __init__(self, kv: KeyValues, rows: Tensor, first: int, end: int, positions: Tensor, length: int) -> None:
        super().__init__(layers=[])
        self._kv, self._rows, self._first, self._end, self._positions, self._length = kv, rows, first, end, positions, length

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        keys, values = self._kv.keys[layer_idx], self._kv.values[layer_idx]
        keys[self._rows, :, self._positions] = key_states.transpose(1, 2)
        values[self._rows, :, self._positions] = value_states.transpose(1, 2)
        return keys[self._first : self._end, :, : self._length], values[self._first : self._end, :, : self._length]

    def get_seq_length(self, *_: Any, **__: Any) -> int:
        return int(self._positions.min())

    def get_mask_sizes(self, *_: Any, **__: Any) -> tuple[int, int]:
        return self._length, 0


class HuggingFaceModel:
    def __init__(self, model: PreTrainedModel, device: torch.device) -> None:
        self._model = model.to(device).eval()
        self.dtype, self.device = model.dtype, device
        self.shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
        # Newer releases of transformers call it `cache`.
        self._cache_name = "cache" if "cache" in inspect.signature(type(model).forward).parameters else "past_key_values"
        self.vocabulary = int(model.get_output_embeddings().weight.shape[0])
        self.kv_shape = self._probe()

    @torch.no_grad()
    def _probe(self) -> KvShape:
        cache = DynamicCache()
        self._model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=self.device), use_cache=True, **{self._cache_name: cache})
        _, heads, _, size = cache.layers[0].keys.shape
        return KvShape(len(cache.layers), heads, size)

    def forward(self, pieces: Sequence[Piece], kv: KeyValues) -> Tensor:
        kv.reserve(max(piece.start + len(piece.tokens) for piece in pieces))
        single = [piece for piece in pieces if len(piece.tokens) == 1]
        logits = dict(zip((piece.row for piece in single), self._decode(single, kv), strict=True)) if single else {}
        for piece in pieces:
            if len(piece.tokens) > 1:
                logits[piece.row] = self._read(piece, kv)
        return torch.stack([logits[piece.row] for piece in pieces if piece.wants_logits])

    def _decode(self, single: list[Piece], kv: KeyValues) -> Tensor:
        """[rows of `single`, V]. Rows between, which are not decoding, do not come into it: theirs would be written over."""
        rows = [piece.row for piece in single]
        length = max(piece.start for piece in single) + 1
        positions = torch.tensor([[piece.start] for piece in single], device=self.device)
        tokens = torch.tensor([[piece.tokens[0]] for piece in single], device=self.device)
        groups, at = _runs(rows), 0
        parts = []
        for first, end in groups:
            here = slice(at, at + end - first)
            parts.append(self._call(tokens[here], positions[here], kv, first, end, length)[:, -1])
            at += end - first
        return torch.cat(parts)

    def _read(self, piece: Piece, kv: KeyValues) -> Tensor:
        end = piece.start + len(piece.tokens)
        positions = torch.arange(piece.start, end, device=self.device).unsqueeze(0)
        tokens = torch.tensor([list(piece.tokens)], device=self.device)
        return self._call(tokens, positions, kv, piece.row, piece.row + 1, end)[0, -1]

    def _call(self, tokens: Tensor, positions: Tensor, kv: KeyValues, first: int, end: int, length: int) -> Tensor:
        rows = torch.arange(first, end, device=self.device).unsqueeze(1)
        hidden = torch.arange(length, device=self.device) > positions.unsqueeze(-1)
        mask = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device).masked_fill_(hidden, torch.finfo(self.dtype).min)
        cache = RowsCache(kv, rows, first, end, positions, length)
        answer = self._model(input_ids=tokens, position_ids=positions, attention_mask=mask.unsqueeze(1), use_cache=True, logits_to_keep=1, **{self._cache_name: cache})
        return answer.logits.float()


def _runs(rows: list[int]) -> list[tuple[int, int]]:
    """Ascending rows as runs (first, end) without a gap."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((row, row + 1))
    return runs
