"""Drawing tokens: pure functions of logits, sampling options and one uniform number a token.

The number comes from the request's seed and the token's index alone, so that a seed draws the same whatever else is in the batch.
Logprobs are those of the distribution that was drawn from (vLLM calls them processed): after the temperature, and after top-k,
top-p and min-p where these are on. A temperature of 0 takes the likeliest token, and says its logprob at a temperature of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

BELOW_ONE = 1 - 2**-53


@dataclass(frozen=True)
class Sampling:
    """`top_k` 0 and `top_p` 1 and `min_p` 0 are off. `seed`: any 64 bits."""

    seed: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0

    @property
    def is_filtered(self) -> bool:
        return self.temperature > 0 and (self.top_p < 1 or self.top_k > 0 or self.min_p > 0)


def uniform(seed: int, index: int) -> float:
    """In [0, 1), of 53 bits: a hash of the seed and the token's index in the completion."""
    digest = blake2b(b"%d:%d" % (seed, index), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2**-53


def log_distribution(logits: Tensor, samplings: Sequence[Sampling]) -> Tensor:
    """[R, V] logits to [R, V] natural logarithms of the distributions that are drawn from, float32."""
    temperatures = [sampling.temperature or 1.0 for sampling in samplings]
    scaled = logits.float()
    if any(temperature != 1.0 for temperature in temperatures):
        scaled = scaled / torch.tensor(temperatures, device=logits.device).unsqueeze(1)
    for row, sampling in enumerate(samplings):
        if sampling.is_filtered:
            scaled[row] = _filtered(scaled[row], sampling)
    return torch.log_softmax(scaled, dim=-1)


def _filtered(scaled: Tensor, sampling: Sampling) -> Tensor:
    """[V]: what top-k, then top-p, then min-p leave out is minus infinity. The likeliest token always stays."""
    ordered, order = scaled.sort(descending=True)
    if 0 < sampling.top_k < len(ordered):
        ordered = ordered.clone()
        ordered[sampling.top_k :] = -torch.inf
    probabilities = torch.softmax(ordered, dim=-1)
    before = probabilities.cumsum(-1) - probabilities
    out = (before >= sampling.top_p) | (probabilities < sampling.min_p * probabilities[0])
    out[0] = False
    return torch.empty_like(scaled).scatter_(0, order, ordered.masked_fill(out, -torch.inf))


def draw(logits: Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]) -> tuple[list[int], list[float]]:
    """A token for each row of [R, V] logits, and its logprob. Rows whose probabilities are no numbers have a logprob of NaN."""
    logs = log_distribution(logits, samplings)
    cumulated = logs.exp().double().cumsum(-1)
    total = cumulated[:, -1:]
    at = torch.tensor(uniforms, dtype=torch.float64, device=logits.device).unsqueeze(1) * total
    # Rounding must not reach the total itself: the last token may be one that was left out.
    ids = torch.searchsorted(cumulated, torch.minimum(at, total * BELOW_ONE), right=True).clamp_(max=logits.shape[1] - 1)
    if any(sampling.temperature == 0 for sampling in samplings):
        greedy = torch.tensor([sampling.temperature == 0 for sampling in samplings], device=logits.device).unsqueeze(1)
        ids = torch.where(greedy, logs.argmax(-1, keepdim=True), ids)
    return ids.squeeze(1).tolist(), logs.gather(1, ids).squeeze(1).tolist()
