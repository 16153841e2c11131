"""A settled rollout as the trainer reads it: the line of `samples.jsonl` and the record of its tokens become one `Sample`.

What is wrong with one is told by a `Refusal` with a stable code, never by an exception: nothing that lies in a stream may stop
a trainer. The fields are those of docs/records.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import msgpack

from .segments import RECORD_LIMITS, RecordLimits, Segment, Unusable, read_segments, whole
from .sources.types import RawSample

__all__ = ["CODES", "RECORD_LIMITS", "ROLES", "RecordLimits", "Refusal", "Sample", "Segment", "read_sample"]

SCHEMA_VERSION = 1
ROLES = ("breaker", "solver")
PLAYED = ("scored", "policy_fault")
TAKEN = ("infra_fault", "cancelled", "stale")

CODES = {
    "SAMPLE_LINE": "the settled line lacks a field or has one of another type",
    "SAMPLE_OUTCOME": "outcome and reward do not fit each other, or are no outcome and no reward",
    "SAMPLE_NO_RECORD": "there is a reward but no record",
    "SAMPLE_TOO_LARGE": "above one of RecordLimits",
    "SAMPLE_SCHEMA_NEWER": "the record was written by a newer version",
    "SAMPLE_POISONED": "the record is not what docs/records.md says",
    "SAMPLE_MISMATCH": "the record is of another rollout",
    "SAMPLE_LENGTHS": "arrays of a segment differ in length",
    "SAMPLE_TOKEN_RANGE": "a token is not in the vocabulary",
    "SAMPLE_MASK": "a mask is not of 0 and 1, or a segment begins with a drawn token",
    "SAMPLE_NAN_LOGPROBS": "a drawn token has a logprob that is not finite",
    "SAMPLE_POSITIVE_LOGPROB": "a drawn token has a logprob above 0",
    "SAMPLE_VERSIONS": "it is not said which version drew which tokens",
}


@dataclass(frozen=True)
class Sample:
    id: str
    run: str
    episode: str
    arena: str
    """Empty where it is not known: an agent played through the proxy, or there is no record."""
    role: str
    """`breaker` or `solver`"""
    group_id: str
    """`<run>/<role>/<group>`: unique among all runs."""
    group_size: int | None
    """How many members the group was planned with; None in lines from before the field was there."""
    member_index: int
    order: int
    outcome: str
    reward: float | None
    """None: infrastructure took it, it was not graded, or had too few scored attempts."""
    solved: bool | None
    reward_components: dict[str, float]
    version_start: str
    version_end: str
    started_at: float
    """Milliseconds since 1970; 0 where there is no record."""
    ended_at: float
    segments: tuple[Segment, ...]
    untrainable: str | None
    """Why nothing can be trained on this, or None. Its reward still moves the mean of its group."""
    temperature: float | None = None
    """Of every call that was answered; None: they differ, or it is not known."""
    logprobs_mode: str | None = None
    """What the sampler's logprobs are of, by the server's word; None as above."""
    other_sampling: str | None = None
    """Why its logprobs are not of one distribution, the policy's at `temperature`; None: they are, or it is not known."""

    @property
    def sampled(self) -> int:
        """Tokens that the policy drew, of all segments."""
        return sum(segment.sampled for segment in self.segments)

    @property
    def tokens(self) -> int:
        """All tokens of all segments."""
        return sum(len(segment.token_ids) for segment in self.segments)


@dataclass(frozen=True)
class Refusal:
    """A sample that cannot be used. What is known of its place lets its group be completed without it."""

    id: str
    code: str
    """One of `CODES`"""
    reason: str
    role: str | None = None
    group_id: str | None = None
    group_size: int | None = None
    member_index: int | None = None


def read_sample(raw: RawSample, limits: RecordLimits = RECORD_LIMITS) -> Sample | Refusal:
    """Never raises.

    A rollout without a reward and a record (infrastructure took it) is a `Sample` without segments whose `untrainable` says so, and
    so is one that nothing was drawn in or whose sampler gave no logprobs.
    """
    try:
        bare = _read_line(raw, limits)
    except Unusable as error:
        return Refusal(str(raw.id), error.code, _said(raw, error))
    try:
        return _with_record(bare, raw, limits)
    except Unusable as error:
        return Refusal(bare.id, error.code, _said(raw, error), bare.role, bare.group_id, bare.group_size, bare.member_index)


def _said(raw: RawSample, error: Unusable) -> str:
    return f"Cannot use the sample {str(raw.id)!r:.200}: {error}"


def _read_line(raw: RawSample, limits: RecordLimits) -> Sample:
    line = raw.settled
    if not isinstance(line, dict) or not line:
        raise Unusable("SAMPLE_LINE", f"{raw.fault or 'its settled line is no map'}"[: limits.text_characters_max])
    rollout, role = _text(line, "rollout_id", limits), _text(line, "role", limits)
    if role not in ROLES:
        raise Unusable("SAMPLE_LINE", f"its role {role!r:.100} is none of {' '.join(ROLES)}")
    if not isinstance(raw.id, str) or len(raw.id) > 2 * limits.text_characters_max or not raw.id.endswith(f".{rollout}") or raw.id == f".{rollout}":
        raise Unusable("SAMPLE_LINE", f"its id is not <run>.{rollout!r:.100}")
    run = raw.id.removesuffix(f".{rollout}")
    size = line.get("group_size")
    outcome, reward = _read_outcome(line, limits)
    version = _version(line.get("policy"), "version", limits)
    return Sample(
        id=raw.id, run=run, episode=_text(line, "episode_id", limits), arena="", role=role,
        group_id=f"{run}/{role}/{_text(line, 'group_id', limits)}",
        group_size=None if size is None else _count(line, "group_size", 1),
        member_index=_count(line, "member_index", 0), order=_count(line, "order", 1),
        outcome=outcome, reward=reward, solved=_solved(line), reward_components=_components(line, limits),
        version_start=version, version_end=version, started_at=0.0, ended_at=0.0, segments=(), untrainable=None,
    )


def _read_outcome(line: dict[str, Any], limits: RecordLimits) -> tuple[str, float | None]:
    """An infrastructure fault is never a reward."""
    outcome, reward = _text(line, "outcome", limits), line.get("reward")
    if outcome not in PLAYED + TAKEN:
        raise Unusable("SAMPLE_OUTCOME", f"its outcome {outcome!r:.100} is none of {' '.join(PLAYED + TAKEN)}")
    if reward is None:
        return outcome, None
    if outcome in TAKEN:
        raise Unusable("SAMPLE_OUTCOME", f"its outcome is {outcome}, which has no reward, and it has one")
    number = _finite(reward)
    if number is None:
        raise Unusable("SAMPLE_OUTCOME", f"its reward {reward!r:.100} is no finite number")
    return outcome, number


def _with_record(bare: Sample, raw: RawSample, limits: RecordLimits) -> Sample:
    if raw.record is None:
        fault = str(raw.fault or "there is no record")[: limits.text_characters_max]
        if bare.reward is not None:
            raise Unusable("SAMPLE_NO_RECORD", fault)
        return replace(bare, untrainable=fault)
    record = _unpack(raw.record, limits)
    _check_identity(record, bare, raw)
    segments = read_segments(record.get("segments"), limits)
    policy, timing = _map(record, "policy"), _map(record, "timing")
    lineage = _map(record, "lineage")
    calls = [call for call in _list(record, "calls") if isinstance(call, dict) and call.get("error") is None]
    return replace(
        bare,
        arena=_text(lineage, "arena", limits, code="SAMPLE_POISONED") if lineage.get("arena") is not None else "",
        version_start=_version(policy, "version_start", limits), version_end=_version(policy, "version_end", limits),
        started_at=_finite(timing.get("started_at")) or 0.0, ended_at=_finite(timing.get("ended_at")) or 0.0,
        segments=segments, untrainable=_untrainable(record.get("untrainable"), segments, limits),
        temperature=_shared([_finite(sampling.get("temperature")) if isinstance(sampling := call.get("sampling"), dict) else None for call in calls]),
        other_sampling=_other_sampling(calls),
        logprobs_mode=_shared([mode if isinstance(mode := call.get("logprobs_mode"), str) else None for call in calls]),
    )


def _unpack(data: bytes, limits: RecordLimits) -> dict[str, Any]:
    if len(data) > limits.record_bytes_max:
        raise Unusable("SAMPLE_TOO_LARGE", f"its record has {len(data)} bytes, more than {limits.record_bytes_max} (record_bytes_max)")
    try:
        record = msgpack.unpackb(data)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise Unusable("SAMPLE_POISONED", f"its record is no MessagePack: {error!r:.200}") from error
    if not isinstance(record, dict):
        raise Unusable("SAMPLE_POISONED", f"its record is no map but {type(record).__name__}")
    schema = whole(record.get("schema_version"))
    if schema is None or schema < 1:
        raise Unusable("SAMPLE_POISONED", "its record has no schema_version")
    if schema > SCHEMA_VERSION:
        raise Unusable("SAMPLE_SCHEMA_NEWER", f"its record has schema {schema}, and this trainer reads {SCHEMA_VERSION}: update the trainer")
    return record


def _check_identity(record: dict[str, Any], bare: Sample, raw: RawSample) -> None:
    for field, expected in (("run_id", bare.run), ("rollout_id", raw.settled["rollout_id"]), ("role", bare.role)):
        if record.get(field) != expected:
            raise Unusable("SAMPLE_MISMATCH", f"the {field} of its record is {record.get(field)!r:.100}, not {expected!r:.100}")


def _untrainable(said: Any, segments: tuple[Segment, ...], limits: RecordLimits) -> str | None:
    if said is not None:
        return str(said)[: limits.text_characters_max]
    if not any(segment.sampled for segment in segments):
        return "the policy drew no token"
    if any(segment.logprobs is None for segment in segments if segment.sampled):
        return "the sampler gave no logprobs"
    return None


def _solved(line: dict[str, Any]) -> bool | None:
    solved = line.get("solved")
    if solved is not None and not isinstance(solved, bool):
        raise Unusable("SAMPLE_LINE", "its solved is neither true, false nor null")
    return solved


def _components(line: dict[str, Any], limits: RecordLimits) -> dict[str, float]:
    value = line.get("reward_components", {})
    if not isinstance(value, dict) or len(value) > limits.text_characters_max or any(_finite(number) is None for number in value.values()):
        raise Unusable("SAMPLE_LINE", "its reward_components are no map of finite numbers")
    return {str(name): float(number) for name, number in value.items()}


def _text(where: dict[str, Any], field: str, limits: RecordLimits, code: str = "SAMPLE_LINE") -> str:
    value = where.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= limits.text_characters_max:
        raise Unusable(code, f"its {field} is no text of 1 to {limits.text_characters_max} characters (text_characters_max)")
    return value


def _version(policy: Any, field: str, limits: RecordLimits) -> str:
    version = policy.get(field) if isinstance(policy, dict) else None
    if not isinstance(version, str) or len(version) > limits.text_characters_max:
        raise Unusable("SAMPLE_VERSIONS", f"the {field} of its policy is no text of at most {limits.text_characters_max} characters (text_characters_max)")
    return version


def _count(line: dict[str, Any], field: str, least: int) -> int:
    value = whole(line.get(field))
    if value is None or not least <= value < 2**53:
        raise Unusable("SAMPLE_LINE", f"its {field} is no whole number from {least} on")
    return value


def _map(record: dict[str, Any], field: str) -> dict[str, Any]:
    value = record.get(field)
    if not isinstance(value, dict):
        raise Unusable("SAMPLE_POISONED", f"the {field} of its record is no map")
    return value


def _list(record: dict[str, Any], field: str) -> list[Any]:
    value = record.get(field)
    if not isinstance(value, list):
        raise Unusable("SAMPLE_POISONED", f"the {field} of its record are no list")
    return value


def _finite(value: Any) -> float | None:
    if type(value) not in (int, float) or abs(value) > 1e300 or not math.isfinite(value):
        return None
    return float(value)


def _other_sampling(calls: list[dict[str, Any]]) -> str | None:
    """Of raw logprobs the temperature is no part, and of tokens that were left out nobody says the logprob."""
    temperatures = set()
    for call in calls:
        sampling = call.get("sampling")
        temperature, top_p, top_k = (_finite(sampling.get(field)) if isinstance(sampling, dict) else None for field in ("temperature", "top_p", "top_k"))
        if temperature is not None:
            temperatures.add(temperature)
        if top_p is not None and top_p < 1:
            return f"a call had top_p {top_p}"
        if top_k is not None and top_k > 0:
            return f"a call had top_k {top_k:.0f}"
        if str(call.get("logprobs_mode")).startswith("raw") and temperature not in (None, 1.0):
            return f"a call had raw logprobs at temperature {temperature}"
    return f"its calls had temperatures from {min(temperatures)} to {max(temperatures)}" if len(temperatures) > 1 else None


def _shared(values: list[Any]) -> Any:
    """The one value that all have."""
    return values[0] if values and all(value == values[0] for value in values) else None
