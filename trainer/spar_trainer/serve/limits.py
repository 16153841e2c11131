"""The limits of the server. Every queue, wait and body has one here, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServeLimits:
    """`context_max`: tokens of prompt and completion together; None takes what the model was made for."""

    batch_max: int = 32
    context_max: int | None = None
    queue_max: int = 256
    """Requests that wait for a row of the batch; the next one is answered with 429."""
    prefill_tokens_max: int = 512
    """Prompt tokens in one step: what a long prompt holds up the others by."""
    cache_bytes_max: int = 256 * 2**20
    """Keys and values of finished turns, kept for the next turn of the same conversation."""
    body_bytes_max: int = 32 * 2**20
    stops_max: int = 16
    stop_characters_max: int = 256
    pause_seconds_max: float = 300.0
    """A pause that nobody ended is over then: whoever paused has died."""
    drain_seconds_max: float = 30.0
    retry_after_seconds: int = 1
    versions_characters_max: int = 200
