"""Goal: what is right in a record is read exactly, and whatever is wrong is refused under its code. Method: the golden record of
the TypeScript side, a table of single faults, and random bytes and mutations that must never raise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spar_trainer.bridge.arrays import to_wire
from spar_trainer.records import CODES, RecordLimits, Refusal, Sample, read_sample
from spar_trainer.sources.types import RawSample

from .samples import GOLDEN, raw_sample, record_map, segment_map, settled_line


def test_the_golden_record_is_read() -> None:
    record = (GOLDEN / "record.msgpack").read_bytes()
    sample = read_sample(RawSample("golden.e0001.solve.1.0", settled_line(), record))
    assert isinstance(sample, Sample)
    assert (sample.run, sample.arena, sample.group_id) == ("golden", "0123456789abcdef", "golden/solver/e0001.1")
    assert (sample.version_start, sample.version_end, sample.temperature, sample.logprobs_mode) == ("step-1", "step-2", 1.0, "processed_logprobs")
    [segment] = sample.segments
    assert segment.token_ids.tolist() == [1, 151643, 8, 27, 9, 2147483647, 2, 5, 6] and segment.token_ids.dtype == np.int32
    assert segment.mask.tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 1]
    assert segment.logprobs is not None and segment.logprobs.tolist() == pytest.approx([0, 0, 0, -0.5, -1.25, 0, -0.1, 0, -3])
    assert segment.versions == (("step-1", 7), ("step-2", 2)) and segment.break_reason == "context_edited"
    assert (sample.sampled, sample.tokens, sample.untrainable) == (5, 9, None), "the second segment has no tokens and is left out"
    assert segment.token_ids.base is None and segment.mask.base is None, "the bytes of the record can go"


def test_a_program_has_a_reward_and_no_tokens() -> None:
    record = (GOLDEN / "record-without-tokens.msgpack").read_bytes()
    rollout = msgpack.unpackb(record)["rollout_id"]
    sample = read_sample(RawSample(f"golden.{rollout}", settled_line(rollout_id=rollout), record))
    assert isinstance(sample, Sample)
    assert (sample.reward, sample.segments) == (1.0, ()) and sample.untrainable is not None and "a program" in sample.untrainable


def test_the_settled_line_and_the_record_become_one_sample() -> None:
    sample = read_sample(raw_sample())
    assert isinstance(sample, Sample)
    assert (sample.id, sample.role, sample.group_size, sample.order, sample.solved, sample.reward) == ("r1.e0001.solve.1.0", "solver", 4, 1, True, 1.0)
    assert (sample.started_at, sample.ended_at, sample.temperature) == (1_700_000_000_000.0, 1_700_000_060_000.0, 0.7)


def call(temperature: Any = 1, mode: Any = None, **sampling: Any) -> dict[str, Any]:
    return {"sampling": {"temperature": temperature, **sampling}, "logprobs_mode": mode, "error": None}


@pytest.mark.parametrize("calls, why", [
    ([call(top_p=1, top_k=None), call()], None), ([call(top_k=-1), call(top_k=0)], None), ([call(mode="raw_logprobs")], None),
    ([call(0.7, "processed_logprobs")], None), ([call(None, "raw_logprobs"), {"error": None}, call("hot", top_p="x")], None),
    ([{**call(0.3, "raw_logprobs", top_p=0.1), "error": {}}], None),
    ([call(), call(top_p=0.95)], "top_p 0.95"), ([call(top_k=20)], "top_k 20"), ([call(0.7, "raw_logprobs")], "raw logprobs at temperature 0.7"),
    ([call(0.7), call()], "from 0.7 to 1"),
])
def test_what_was_drawn_from_another_distribution_says_so(calls: list[Any], why: str | None) -> None:
    sample = read_sample(raw_sample(record=record_map(calls=calls)))
    assert isinstance(sample, Sample) and (sample.other_sampling is None if why is None else why in str(sample.other_sampling))


def test_older_lines_have_no_group_size() -> None:
    line = settled_line()
    del line["group_size"]
    sample = read_sample(raw_sample(line))
    assert isinstance(sample, Sample) and sample.group_size is None


def test_a_rollout_that_infrastructure_took_is_a_sample_without_reward() -> None:
    raw = RawSample("r1.e0001.solve.1.0", settled_line(outcome="infra_fault", reward=None, solved=None), None, "the sandbox was lost")
    sample = read_sample(raw)
    assert isinstance(sample, Sample)
    assert (sample.reward, sample.segments, sample.untrainable) == (None, (), "the sandbox was lost")


@pytest.mark.parametrize("segments, why", [
    ([], "drew no token"),
    ([segment_map([1, 2], [0, 0], None, [("step-1", 2)])], "drew no token"),
    ([segment_map([1, 2], [0, 1], None, [("step-1", 2)])], "gave no logprobs"),
])
def test_what_nothing_can_be_learned_from_says_so(segments: list[Any], why: str) -> None:
    sample = read_sample(raw_sample(record=record_map(segments=segments)))
    assert isinstance(sample, Sample) and sample.untrainable is not None and why in sample.untrainable


def test_logprobs_of_given_tokens_are_not_looked_at_and_rounding_above_zero_is_zero() -> None:
    nan = float("nan")
    sample = read_sample(raw_sample(record=record_map(segments=[segment_map([1, 2, 3, 4], [0, 1, 0, 1], [nan, 1e-6, 9.0, -1], [("step-1", 4)])])))
    assert isinstance(sample, Sample) and sample.segments[0].logprobs is not None
    assert sample.segments[0].logprobs.tolist() == [0, 0, 0, -1]


def one(token_ids: Any = None, mask: Any = None, logprobs: Any = None, versions: Any = None) -> dict[str, Any]:
    """A record whose only segment has one field changed."""
    segment = segment_map([5, 6, 7], [0, 1, 1], [0, -1, -1], [("step-1", 3)])
    changes = {"token_ids": token_ids, "mask": mask, "logprobs": logprobs, "policy_versions": versions}
    return record_map(segments=[{**segment, **{name: value for name, value in changes.items() if value is not None}}])


def wire(values: list[float], dtype: str) -> dict[str, Any]:
    return to_wire(np.array(values, dtype))


FAULTS: list[tuple[str, dict[str, Any] | None, Any]] = [
    ("SAMPLE_LINE", {}, None),
    ("SAMPLE_LINE", settled_line(role="judge"), None),
    ("SAMPLE_LINE", settled_line(member_index=-1), None),
    ("SAMPLE_LINE", settled_line(group_size=0), None),
    ("SAMPLE_LINE", settled_line(group_id="x" * 2_000), None),
    ("SAMPLE_LINE", settled_line(solved="yes"), None),
    ("SAMPLE_LINE", settled_line(reward_components={"valid": float("nan")}), None),
    ("SAMPLE_OUTCOME", settled_line(outcome="crashed"), None),
    ("SAMPLE_OUTCOME", settled_line(outcome="infra_fault", reward=-1), None),
    ("SAMPLE_OUTCOME", settled_line(reward=float("nan")), None),
    ("SAMPLE_OUTCOME", settled_line(reward=True), None),
    ("SAMPLE_OUTCOME", settled_line(reward="1"), None),
    ("SAMPLE_VERSIONS", settled_line(policy=None), None),
    ("SAMPLE_SCHEMA_NEWER", None, record_map(schema_version=2)),
    ("SAMPLE_POISONED", None, record_map(schema_version="1")),
    ("SAMPLE_POISONED", None, b"\xc1"),
    ("SAMPLE_POISONED", None, b"\x91" * 5_000),
    ("SAMPLE_POISONED", None, msgpack.packb([1, 2])),
    ("SAMPLE_POISONED", None, msgpack.packb(record_map())[:-7]),
    ("SAMPLE_POISONED", None, record_map(segments={})),
    ("SAMPLE_POISONED", None, record_map(segments=[None])),
    ("SAMPLE_POISONED", None, record_map(timing=None)),
    ("SAMPLE_POISONED", None, one(token_ids=[1, 2, 3])),
    ("SAMPLE_POISONED", None, one(token_ids=wire([5, 6, 7], "<i8"))),
    ("SAMPLE_POISONED", None, one(token_ids={"dtype": "<i4", "shape": [4], "data": b"1234"})),
    ("SAMPLE_POISONED", None, one(token_ids={"dtype": ["<i4"], "shape": [1], "data": b"1234"})),
    ("SAMPLE_POISONED", None, one(token_ids={"dtype": "<i4", "shape": [2**62, 2**62], "data": b"1234"})),
    ("SAMPLE_MISMATCH", None, record_map(rollout_id="e0001.solve.1.1")),
    ("SAMPLE_MISMATCH", None, record_map(run_id="r2")),
    ("SAMPLE_MISMATCH", None, record_map(role="breaker")),
    ("SAMPLE_LENGTHS", None, one(mask=wire([0, 1], "|u1"))),
    ("SAMPLE_LENGTHS", None, one(logprobs=wire([0, -1, -1, -1], "<f4"))),
    ("SAMPLE_LENGTHS", None, one(versions=[{"version": "step-1", "tokens": 2}])),
    ("SAMPLE_TOKEN_RANGE", None, one(token_ids=wire([5, -6, 7], "<i4"))),
    ("SAMPLE_MASK", None, one(mask=wire([0, 2, 1], "|u1"))),
    ("SAMPLE_MASK", None, one(mask=wire([1, 1, 1], "|u1"))),
    ("SAMPLE_NAN_LOGPROBS", None, one(logprobs=wire([0, -1, float("nan")], "<f4"))),
    ("SAMPLE_NAN_LOGPROBS", None, one(logprobs=wire([0, -float("inf"), -1], "<f4"))),
    ("SAMPLE_POSITIVE_LOGPROB", None, one(logprobs=wire([0, 0.5, -1], "<f4"))),
    ("SAMPLE_VERSIONS", None, one(versions=[{"version": 3, "tokens": 3}])),
    ("SAMPLE_VERSIONS", None, one(versions=[{"version": "step-1", "tokens": -3}, {"version": "step-1", "tokens": 6}])),
    ("SAMPLE_VERSIONS", None, one(versions="step-1")),
]


@pytest.mark.parametrize("code, line, record", FAULTS)
def test_a_fault_is_refused_by_its_code(code: str, line: dict[str, Any] | None, record: Any) -> None:
    refusal = read_sample(raw_sample(line, record))
    assert isinstance(refusal, Refusal)
    assert refusal.code == code in CODES, refusal.reason
    assert refusal.reason.startswith(f"Cannot use the sample {refusal.id!r}: ")
    if line is None:
        assert (refusal.group_id, refusal.group_size, refusal.member_index) == ("r1/solver/e0001.1", 4, 0), "its group can do without it"


def test_a_reward_without_a_record_is_refused() -> None:
    refusal = read_sample(RawSample("r1.e0001.solve.1.0", settled_line(), None, "its bytes are gone"))
    assert isinstance(refusal, Refusal) and refusal.code == "SAMPLE_NO_RECORD" and refusal.reason.endswith("its bytes are gone")


def test_an_id_says_its_run() -> None:
    refusal = read_sample(replace(raw_sample(), id="e0001.solve.1.0"))
    assert isinstance(refusal, Refusal) and refusal.code == "SAMPLE_LINE"


@pytest.mark.parametrize("limits, code", [
    (RecordLimits(record_bytes_max=100), "SAMPLE_TOO_LARGE"),
    (RecordLimits(segments_max=0), "SAMPLE_TOO_LARGE"),
    (RecordLimits(segment_tokens_max=4), "SAMPLE_TOO_LARGE"),
    (RecordLimits(rollout_tokens_max=4), "SAMPLE_TOO_LARGE"),
    (RecordLimits(version_runs_max=1), "SAMPLE_VERSIONS"),
    (RecordLimits(text_characters_max=12), "SAMPLE_LINE"),
    (RecordLimits(vocabulary=9), "SAMPLE_TOKEN_RANGE"),
])
def test_every_limit_is_reached(limits: RecordLimits, code: str) -> None:
    refusal = read_sample(raw_sample(), limits)
    assert isinstance(refusal, Refusal) and refusal.code == code


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8) | st.binary(max_size=12),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3), max_leaves=6,
)


def places_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values within, the outermost left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in inner for found in [(*path, key), *places_of(item, (*path, key))]]


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_mutated_record_or_line_never_raises(data: st.DataObject) -> None:
    parts = {"line": settled_line(), "record": record_map()}
    for _ in range(data.draw(st.integers(1, 3))):
        put(parts, data.draw(st.sampled_from(places_of(parts))), data.draw(JSON))
    record = parts["record"]
    packed = record if isinstance(record, bytes) else msgpack.packb(record)
    answer = read_sample(RawSample("r1.e0001.solve.1.0", parts["line"], packed))
    assert isinstance(answer, Sample) or answer.code in CODES


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    answer = read_sample(raw_sample(record=data))
    assert isinstance(answer, Refusal) and answer.code in ("SAMPLE_POISONED", "SAMPLE_SCHEMA_NEWER")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 3_000), st.integers(0, 255))
def test_a_flipped_byte_never_raises(at: int, value: int) -> None:
    record = bytearray((GOLDEN / "record.msgpack").read_bytes())
    record[at % len(record)] = value
    answer = read_sample(RawSample("golden.e0001.solve.1.0", settled_line(), bytes(record)))
    assert isinstance(answer, Sample) or answer.code in CODES
