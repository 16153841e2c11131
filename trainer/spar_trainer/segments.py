"""Token runs as they stand in a record, and how they are read: every array is checked before anything computes with it.

What is wrong raises `Unusable`, which never leaves `read_sample` (records.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .bridge.arrays import from_wire, is_wire_array


@dataclass(frozen=True)
class RecordLimits:
    """What a record may hold at most."""

    record_bytes_max: int = 1024 * 2**20
    segments_max: int = 4_096
    segment_tokens_max: int = 4 * 2**20
    rollout_tokens_max: int = 16 * 2**20
    version_runs_max: int = 65_536
    """Of one segment."""
    text_characters_max: int = 1_024
    """Of an id or a version, which is refused above it, and of a reason, which is cut there."""
    vocabulary: int = 2**31
    """Token ids are below it: give the model's."""
    logprob_slack: float = 1e-3
    """A logprob may be so far above 0 by rounding, and is taken as 0."""


RECORD_LIMITS = RecordLimits()


class Unusable(Exception):
    """Why a sample cannot be used: a stable code, and the rule that it breaks."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Segment:
    """A token run of a rollout: each token follows from all before it in the same segment."""

    token_ids: np.ndarray
    """int32 [n]"""
    mask: np.ndarray
    """uint8 [n]: 1 for a token that the policy drew. The first is never one: there is nothing that it is predicted from."""
    logprobs: np.ndarray | None
    """float32 [n]: of the sampler, 0 where the mask is 0. None only where the sample is untrainable."""
    versions: tuple[tuple[str, int], ...]
    """Runs (version, tokens), together n tokens: the weights behind them."""
    break_reason: str | None

    @property
    def sampled(self) -> int:
        return int(np.count_nonzero(self.mask))


def read_segments(value: Any, limits: RecordLimits) -> tuple[Segment, ...]:
    """Those that have tokens. Raises Unusable."""
    if not isinstance(value, list):
        raise Unusable("SAMPLE_POISONED", f"its segments are no list but {type(value).__name__}")
    if len(value) > limits.segments_max:
        raise Unusable("SAMPLE_TOO_LARGE", f"it has {len(value)} segments, more than {limits.segments_max} (segments_max)")
    segments = [_read_segment(one, f"segment {index}", limits) for index, one in enumerate(value)]
    tokens = sum(len(segment.token_ids) for segment in segments)
    if tokens > limits.rollout_tokens_max:
        raise Unusable("SAMPLE_TOO_LARGE", f"it has {tokens} tokens, more than {limits.rollout_tokens_max} (rollout_tokens_max)")
    return tuple(segment for segment in segments if len(segment.token_ids))


def _read_segment(value: Any, where: str, limits: RecordLimits) -> Segment:
    if not isinstance(value, dict):
        raise Unusable("SAMPLE_POISONED", f"{where} is no map but {type(value).__name__}")
    token_ids = _array(value.get("token_ids"), "<i4", f"token_ids of {where}")
    if len(token_ids) > limits.segment_tokens_max:
        raise Unusable("SAMPLE_TOO_LARGE", f"{where} has {len(token_ids)} tokens, more than {limits.segment_tokens_max} (segment_tokens_max)")
    _check_token_ids(token_ids, where, limits)
    mask = _array(value.get("mask"), "|u1", f"mask of {where}")
    _check_length("mask", mask, token_ids, where)
    _check_mask(mask, where)
    reason = value.get("break_reason")
    return Segment(
        token_ids=token_ids,
        mask=mask,
        logprobs=_read_logprobs(value.get("logprobs"), token_ids, mask, where, limits),
        versions=_read_versions(value.get("policy_versions"), len(token_ids), where, limits),
        break_reason=reason[: limits.text_characters_max] if isinstance(reason, str) else None,
    )


def _array(value: Any, dtype: str, what: str) -> np.ndarray:
    """Of one dimension, and a copy: it does not hold on to the bytes of the whole record."""
    if not isinstance(value, dict) or not is_wire_array(value):
        raise Unusable("SAMPLE_POISONED", f"{what} is no array of numbers")
    try:
        array = from_wire(value)
    except (ValueError, TypeError) as error:
        raise Unusable("SAMPLE_POISONED", f"{what}: {error}") from error
    if array.dtype.str != dtype or array.ndim != 1:
        raise Unusable("SAMPLE_POISONED", f"{what} is {array.dtype.str} of {array.ndim} dimensions, not {dtype} of one")
    return array.astype(array.dtype.newbyteorder("="), copy=True)


def _check_length(name: str, array: np.ndarray, token_ids: np.ndarray, where: str) -> None:
    if len(array) != len(token_ids):
        raise Unusable("SAMPLE_LENGTHS", f"{name} of {where} has {len(array)} numbers for {len(token_ids)} tokens")


def _check_token_ids(token_ids: np.ndarray, where: str, limits: RecordLimits) -> None:
    outside = np.flatnonzero((token_ids < 0) | (token_ids >= limits.vocabulary))
    if len(outside):
        at = int(outside[0])
        raise Unusable("SAMPLE_TOKEN_RANGE", f"token {at} of {where} is {int(token_ids[at])}, outside of the vocabulary of {limits.vocabulary}")


def _check_mask(mask: np.ndarray, where: str) -> None:
    if len(mask) and int(mask.max()) > 1:
        raise Unusable("SAMPLE_MASK", f"the mask of {where} holds {int(mask.max())}, where only 0 and 1 may stand")
    if len(mask) and mask[0] == 1:
        raise Unusable("SAMPLE_MASK", f"the first token of {where} was drawn: there is no prompt that it is predicted from")


def _read_logprobs(value: Any, token_ids: np.ndarray, mask: np.ndarray, where: str, limits: RecordLimits) -> np.ndarray | None:
    if value is None:
        return None
    logprobs = _array(value, "<f4", f"logprobs of {where}")
    _check_length("logprobs", logprobs, token_ids, where)
    drawn = mask == 1
    bad = np.flatnonzero(drawn & ~np.isfinite(logprobs))
    if len(bad):
        raise Unusable("SAMPLE_NAN_LOGPROBS", f"{len(bad)} logprobs of drawn tokens of {where} are not finite, first that of token {int(bad[0])}")
    high = np.flatnonzero(drawn & (logprobs > limits.logprob_slack))
    if len(high):
        at = int(high[0])
        raise Unusable("SAMPLE_POSITIVE_LOGPROB", f"the logprob of token {at} of {where} is {float(logprobs[at]):g}: above 0 it is none")
    return np.where(drawn, np.minimum(logprobs, np.float32(0)), np.float32(0))


def _read_versions(value: Any, tokens: int, where: str, limits: RecordLimits) -> tuple[tuple[str, int], ...]:
    if not isinstance(value, list) or len(value) > limits.version_runs_max:
        raise Unusable("SAMPLE_VERSIONS", f"the policy_versions of {where} are no list of at most {limits.version_runs_max} runs (version_runs_max)")
    runs = tuple(_read_version(run, where, limits) for run in value)
    if sum(length for _, length in runs) != tokens:
        raise Unusable("SAMPLE_LENGTHS", f"the policy_versions of {where} are of {sum(length for _, length in runs)} tokens, the segment has {tokens}")
    return runs


def _read_version(run: Any, where: str, limits: RecordLimits) -> tuple[str, int]:
    version, length = (run.get("version"), whole(run.get("tokens"))) if isinstance(run, dict) else (None, None)
    if not isinstance(version, str) or len(version) > limits.text_characters_max or length is None or length < 0:
        raise Unusable("SAMPLE_VERSIONS", f"a run of the policy_versions of {where} is not {{version, tokens}}")
    return version, length


def whole(value: Any) -> int | None:
    """MessagePack of JavaScript may write a whole number as a float."""
    if type(value) is int:
        return value
    return int(value) if type(value) is float and value.is_integer() else None
