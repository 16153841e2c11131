"""Settled lines, records and samples for tests, in the form of docs/records.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from spar_trainer.bridge.arrays import to_wire
from spar_trainer.records import Sample, Segment, read_sample
from spar_trainer.sources.types import RawSample

GOLDEN = Path(__file__).resolve().parents[2] / "test" / "golden"


def segment_map(token_ids: list[int], mask: list[int], logprobs: list[float] | None, versions: list[tuple[str, int]]) -> dict[str, Any]:
    return {
        "token_ids": to_wire(np.array(token_ids, "<i4")), "mask": to_wire(np.array(mask, "|u1")),
        "logprobs": None if logprobs is None else to_wire(np.array(logprobs, "<f4")),
        "policy_versions": [{"version": version, "tokens": tokens} for version, tokens in versions],
        "call_ids": ["c1"], "break_reason": None,
    }


def settled_line(**changes: Any) -> dict[str, Any]:
    return {
        "rollout_id": "e0001.solve.1.0", "episode_id": "e0001", "round_id": "removal.1", "role": "solver", "group_id": "e0001.1", "group_size": 4,
        "member_index": 0, "bug_id": "bug-0123456789abcdef", "order": 1, "parent_bug_id": None, "policy": {"name": "m", "version": "step-2"},
        "outcome": "scored", "reason": "", "solved": True, "reward": 1, "reward_components": {}, "advantage": 0.5,
        "trajectory": "trajectories/e0001.solve.1.0.msgpack", **changes,
    }


def record_map(**changes: Any) -> dict[str, Any]:
    return {
        "schema_version": 1, "run_id": "r1", "episode_id": "e0001", "round_id": "removal.1",
        "lineage": {"arena": "a1", "image_digest": None, "bug_id": "bug-0123456789abcdef", "order": 1, "parent_bug_id": None},
        "rollout_id": "e0001.solve.1.0", "role": "solver", "group_id": "e0001.1", "member_index": 0, "attempt": 1,
        "policy": {"name": "m", "version_start": "step-1", "version_end": "step-2"},
        "calls": [{"sampling": {"temperature": 0.7}, "logprobs_mode": "processed_logprobs", "error": None}, {"error": {"code": "POLICY_LOST"}}],
        "segments": [segment_map([5, 6, 7, 8, 9], [0, 1, 1, 0, 1], [0, -0.5, -1.5, 0, -0.25], [("step-1", 3), ("step-2", 2)])],
        "untrainable": None, "messages": [], "tool_calls": [], "sandboxes": [], "checks": [], "outcome": "scored", "reward": None,
        "reward_components": {}, "advantage": None, "timing": {"started_at": 1_700_000_000_000.0, "ended_at": 1_700_000_060_000.0},
        "integrity": {"findings": []}, **changes,
    }


def raw_sample(line: dict[str, Any] | None = None, record: dict[str, Any] | bytes | None = None) -> RawSample:
    settled = settled_line() if line is None else line
    data = msgpack.packb(record_map() if record is None else record) if not isinstance(record, bytes) else record
    return RawSample(f"r1.{settled.get('rollout_id')}", settled, data)


def make_segment(mask: list[int], *, logprob: float = -1.0, token: int = 7, versions: tuple[tuple[str, int], ...] | None = None) -> Segment:
    drawn = np.array(mask, np.uint8)
    return Segment(
        np.full(len(mask), token, np.int32), drawn, (logprob * drawn).astype(np.float32), versions or (("step-5", len(mask)),), None
    )


def make_sample(member: int = 0, *, group: str = "g", **changes: Any) -> Sample:
    """One of `tests`' own run, with two sampled tokens unless `changes` say otherwise."""
    base = read_sample(raw_sample())
    assert isinstance(base, Sample)
    fields = {"segments": (make_segment([0, 1, 1]),), "group_size": None, **changes}
    return replace(base, id=f"r1.{group}.{member}", group_id=f"r1/solver/{group}", member_index=member, **fields)
