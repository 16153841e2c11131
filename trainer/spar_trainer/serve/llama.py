"""A lean forward for models of the Llama family (Llama, Mistral without a window, Qwen 2 and 3).

All tokens of a step go through the linear layers as one matrix [N, width], whichever rows they are of; only attention looks at
rows. Rows that decode attend in blocks, each padded to its longest row alone. Pieces of prompts attend one after the other.

Normalisation is RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467), positions are rotary (Su et al. 2021, arXiv:2104.09864) in
the halves layout of Hugging Face's weights, heads share keys and values as in GQA (Ainslie et al. 2023, arXiv:2305.13245), and the
feed-forward is SwiGLU (Shazeer 2020, arXiv:2002.05202).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .batch import Piece
from .key_values import KeyValues, KvShape

ROWS_OF_A_BLOCK_ON_CPU = 8
FAMILY = ("llama", "mistral", "qwen2", "qwen3")


@dataclass(frozen=True)
class LlamaShape:
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    norm_epsilon: float
    rope_theta: float
    context: int
    is_tied: bool


def llama_shape(config: Any) -> LlamaShape | None:
    """None: not of the family, or with something that this forward does not have (scaled rotary positions, windows, other activations)."""
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    theta = rope.get("rope_theta", getattr(config, "rope_theta", None))
    has_window = any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or [])
    has_window |= config.model_type == "mistral" and getattr(config, "sliding_window", None) is not None
    if config.model_type not in FAMILY or has_window or theta is None or getattr(config, "mlp_bias", False):
        return None
    if rope.get("rope_type", rope.get("type", "default")) != "default" or config.hidden_act != "silu":
        return None
    heads = config.num_attention_heads
    return LlamaShape(
        layers=config.num_hidden_layers,
        heads=heads,
        kv_heads=config.num_key_value_heads,
        head_size=getattr(config, "head_dim", None) or config.hidden_size // heads,
        norm_epsilon=config.rms_norm_eps,
        rope_theta=float(theta),
        context=config.max_position_embeddings,
        is_tied=bool(config.tie_word_embeddings),
    )


@dataclass(frozen=True)
class Layer:
    attention_norm: Tensor
    qkv: Tensor
    qkv_bias: Tensor | None
    query_norm: Tensor | None
    key_norm: Tensor | None
    out: Tensor
    out_bias: Tensor | None
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor


class _Read(Mapping[str, Tensor]):
    """Weights, and the shapes of those that were read: a file may hold others, as the head of a model whose head is its embedding."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._weights = weights

    def __getitem__(self, name: str) -> Tensor:
        weight = self._weights[name]
        self.shapes[name] = tuple(weight.shape)
        return weight

    def __contains__(self, name: object) -> bool:
        return name in self._weights

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)


class LlamaModel:
    def __init__(self, shape: LlamaShape, weights: Mapping[str, Tensor], dtype: torch.dtype, device: torch.device) -> None:
        """Raises KeyError with the name of a weight that is missing."""
        self._shape = shape
        self.dtype, self.device = dtype, device
        weights = _Read(weights)
        self.kv_shape = KvShape(shape.layers, shape.kv_heads, shape.head_size)
        place = {"dtype": dtype, "device": device}
        self._embedding = weights["model.embed_tokens.weight"].to(**place)
        self._norm = weights["model.norm.weight"].to(**place)
        self._head = self._embedding if shape.is_tied else weights["lm_head.weight"].to(**place)
        self._layers = [_read_layer(weights, f"model.layers.{index}.", place) for index in range(shape.layers)]
        self.shapes = weights.shapes
        self.vocabulary = self._head.shape[0]
        self._cos, self._sin = _rotary(shape, dtype, device)

    def forward(self, pieces: Sequence[Piece], kv: KeyValues) -> Tensor:
        step = _Step(pieces, kv, self.device, self.dtype)
        x = F.embedding(step.tokens, self._embedding)
        cos, sin = self._cos[step.positions], self._sin[step.positions]
        for index, layer in enumerate(self._layers):
            x = x + self._attend(index, layer, F.rms_norm(x, x.shape[-1:], layer.attention_norm, self._shape.norm_epsilon), cos, sin, step)
            gate, up = F.linear(F.rms_norm(x, x.shape[-1:], layer.mlp_norm, self._shape.norm_epsilon), layer.gate_up).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, layer.down)
        x = F.rms_norm(x[step.wanted], x.shape[-1:], self._norm, self._shape.norm_epsilon)
        return F.linear(x, self._head).float()

    def _attend(self, index: int, layer: Layer, x: Tensor, cos: Tensor, sin: Tensor, step: _Step) -> Tensor:
        heads, kv_heads, size = self._shape.heads, self._shape.kv_heads, self._shape.head_size
        qkv = F.linear(x, layer.qkv, layer.qkv_bias).view(-1, heads + 2 * kv_heads, size)
        turned = qkv[:, : heads + kv_heads]
        if layer.query_norm is not None and layer.key_norm is not None:
            query, key = turned.split((heads, kv_heads), dim=1)
            epsilon = self._shape.norm_epsilon
            turned = torch.cat((F.rms_norm(query, (size,), layer.query_norm, epsilon), F.rms_norm(key, (size,), layer.key_norm, epsilon)), dim=1)
        turned = torch.addcmul(turned * cos, turned.roll(size // 2, -1), sin)
        query = turned[:, :heads].reshape(-1, kv_heads, heads // kv_heads, size)
        attended = step.attend(index, query, turned[:, heads:], qkv[:, heads + kv_heads :])
        return F.linear(attended.reshape(-1, heads * size), layer.out, layer.out_bias)


class _Step:
    """The pieces of one step as tensors, and attention over the rows."""

    def __init__(self, pieces: Sequence[Piece], kv: KeyValues, device: torch.device, dtype: torch.dtype) -> None:
        # Single tokens first, in the order of their rows.
        single = sorted((piece for piece in pieces if len(piece.tokens) == 1), key=lambda piece: piece.row)
        longer = [piece for piece in pieces if len(piece.tokens) > 1]
        self._kv, self._dtype, self._device = kv, dtype, device
        kv.reserve(max(piece.start + len(piece.tokens) for piece in pieces))
        self.tokens = torch.tensor([token for piece in (*single, *longer) for token in piece.tokens], device=device)
        self.positions = torch.tensor([at for piece in (*single, *longer) for at in range(piece.start, piece.start + len(piece.tokens))], device=device)
        self._rows = torch.tensor([piece.row for piece in (*single, *longer) for _ in piece.tokens], device=device)
        self.wanted = torch.tensor(_ends_in_order(pieces, (*single, *longer)), dtype=torch.long, device=device)
        self._single = len(single)
        self._spread = None if [piece.row for piece in single] == list(range(len(single))) else self._rows[: len(single)]
        self._blocks = self._make_blocks(single)
        self._longer = [self._make_piece(piece) for piece in longer]

    def _make_blocks(self, single: list[Piece]) -> list[tuple[int, int, int, Tensor]]:
        """(first row, end, tokens, mask [rows, 1, 1, tokens]) of rows that attend together. Rows between that are not decoding see one token."""
        if not single:
            return []
        lengths = [1] * (single[-1].row + 1)
        for piece in single:
            lengths[piece.row] = piece.start + 1
        size = ROWS_OF_A_BLOCK_ON_CPU if self._device.type == "cpu" else len(lengths)
        blocks = []
        for first in range(0, len(lengths), size):
            block = torch.tensor(lengths[first : first + size], device=self._device)
            longest = max(lengths[first : first + size])
            hidden = torch.arange(longest, device=self._device) >= block.view(-1, 1, 1, 1)
            blocks.append((first, first + len(block), longest, torch.zeros(hidden.shape, dtype=self._dtype, device=self._device).masked_fill_(hidden, -torch.inf)))
        return blocks

    def _make_piece(self, piece: Piece) -> tuple[int, int, int, Tensor]:
        """(row, tokens of the piece, tokens with what stands before, mask [tokens, tokens with before])."""
        count = len(piece.tokens)
        end = piece.start + count
        hidden = torch.arange(end, device=self._device) > torch.arange(piece.start, end, device=self._device).unsqueeze(1)
        return piece.row, count, end, torch.zeros(hidden.shape, dtype=self._dtype, device=self._device).masked_fill_(hidden, -torch.inf)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """query [N, kv heads, group, size], key and value [N, kv heads, size]; writes both and gives [N, kv heads, group, size]."""
        keys, values = self._kv.keys[layer], self._kv.values[layer]
        keys[self._rows, :, self.positions] = key
        values[self._rows, :, self.positions] = value
        parts = [self._attend_single(query[: self._single], keys, values)] if self._single > 0 else []
        at = self._single
        for row, count, end, mask in self._longer:
            parts.append(_attend_piece(query[at : at + count], keys[row, :, :end], values[row, :, :end], mask))
            at += count
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _attend_single(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        if self._spread is not None:
            spread = query.new_zeros((self._blocks[-1][1], *query.shape[1:]))
            spread[self._spread] = query
            query = spread
        # The heads that share keys stand where SDPA has the tokens of a query.
        parts = [F.scaled_dot_product_attention(query[first:end], keys[first:end, :, :tokens], values[first:end, :, :tokens], attn_mask=mask)
                 for first, end, tokens, mask in self._blocks]  # fmt: skip
        attended = parts[0] if len(parts) == 1 else torch.cat(parts)
        return attended if self._spread is None else attended[self._spread]


def _attend_piece(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    tokens, kv_heads, group, size = query.shape
    flat = query.permute(1, 2, 0, 3).reshape(1, kv_heads, group * tokens, size)
    attended = F.scaled_dot_product_attention(flat, keys.unsqueeze(0), values.unsqueeze(0), attn_mask=mask.repeat(group, 1))
    return attended.view(kv_heads, group, tokens, size).permute(2, 0, 1, 3)


def _ends_in_order(pieces: Sequence[Piece], laid_out: Sequence[Piece]) -> list[int]:
    """Where the last token of each piece that wants logits stands among all tokens, in the order of `pieces`."""
    ends, at = {}, 0
    for piece in laid_out:
        at += len(piece.tokens)
        ends[piece.row] = at - 1
    return [ends[piece.row] for piece in pieces if piece.wants_logits]


def _rotary(shape: LlamaShape, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """[context, 1, head size] each. The sine has the sign of the half that is turned in, so that a roll does what a rotation of halves does."""
    half = shape.head_size // 2
    frequencies = 1.0 / shape.rope_theta ** (torch.arange(0, shape.head_size, 2, dtype=torch.float32) / shape.head_size)
    angles = torch.outer(torch.arange(shape.context, dtype=torch.float32), frequencies)
    cos = angles.cos().repeat(1, 2).unsqueeze(1)
    sin = angles.sin().repeat(1, 2).unsqueeze(1)
    sin[..., :half] *= -1
    return cos.to(device, dtype), sin.to(device, dtype)


def _read_layer(weights: Mapping[str, Tensor], prefix: str, place: dict[str, Any]) -> Layer:
    def get(name: str) -> Tensor:
        return weights[prefix + name].to(**place)

    def optional(name: str) -> Tensor | None:
        return get(name) if prefix + name in weights else None

    has_bias = f"{prefix}self_attn.q_proj.bias" in weights
    return Layer(
        attention_norm=get("input_layernorm.weight"),
        qkv=torch.cat([get(f"self_attn.{name}_proj.weight") for name in "qkv"]),
        qkv_bias=torch.cat([get(f"self_attn.{name}_proj.bias") for name in "qkv"]) if has_bias else None,
        query_norm=optional("self_attn.q_norm.weight"),
        key_norm=optional("self_attn.k_norm.weight"),
        out=get("self_attn.o_proj.weight"),
        out_bias=optional("self_attn.o_proj.bias"),
        mlp_norm=get("post_attention_layernorm.weight"),
        gate_up=torch.cat((get("mlp.gate_proj.weight"), get("mlp.up_proj.weight"))),
        down=get("mlp.down_proj.weight"),
    )
