"""A run folder as a source: while it grows, after it was rewritten, and with damage."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import msgpack
import pytest

from spar_trainer.errors import TrainerError
from spar_trainer.records import Refusal, Sample, read_sample
from spar_trainer.sources.folder import FolderSource

from .samples import record_map, settled_line


def make_run(path: Path) -> Path:
    (path / "trajectories").mkdir()
    (path / "run.json").write_text(json.dumps({"schema_version": 1, "run": "r1"}))
    return path


def settle(path: Path, member: int, **changes: Any) -> dict[str, Any]:
    rollout = f"e0001.solve.1.{member}"
    line = settled_line(rollout_id=rollout, member_index=member, trajectory=f"trajectories/{rollout}.msgpack", **changes)
    (path / "trajectories" / f"{rollout}.msgpack").write_bytes(msgpack.packb(record_map(rollout_id=rollout)))
    with (path / "samples.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    return line


async def test_a_growing_run_gives_each_sample_once_and_ends_with_its_summary(tmp_path: Path) -> None:
    source = FolderSource(make_run(tmp_path), poll_s=0.01)
    assert await source.take(8, 0) == [], "nothing has settled"
    lines = [settle(tmp_path, 0), settle(tmp_path, 1)]
    assert [raw.id for raw in await source.take(1, 1)] == ["r1.e0001.solve.1.0"]
    with (tmp_path / "samples.jsonl").open("a") as log:
        log.write('{"rollout_id": "e0001.sol')
        log.flush()
        assert [raw.id for raw in await source.take(8, 1)] == ["r1.e0001.solve.1.1"], "a torn line waits for its end"
        log.write('ve.1.2"}\n')
    assert [raw.id for raw in await source.take(8, 1)] == ["r1.e0001.solve.1.2"]
    taking = asyncio.create_task(source.take(8, 10))
    rewritten: list[dict[str, Any]] = [*({**line, "advantage": 0.25} for line in lines), {"rollout_id": "e0001.solve.1.2"}]
    rewritten.append(settled_line(rollout_id="e0002.break", role="breaker", outcome="infra_fault", reward=None, trajectory="trajectories/e0002.break.msgpack"))
    (tmp_path / "new").write_text("".join(json.dumps(line) + "\n" for line in rewritten))
    os.replace(tmp_path / "new", tmp_path / "samples.jsonl")
    [taken] = await taking
    assert (taken.id, taken.record) == ("r1.e0002.break", None) and taken.fault is not None and "there is no record" in taken.fault
    assert not source.is_over
    (tmp_path / "summary.json").write_text("{}")
    assert await source.take(8, 10) == [] and source.is_over
    await source.close()


async def test_a_finished_run_is_read_to_its_end(tmp_path: Path) -> None:
    make_run(tmp_path)
    for member in range(3):
        settle(tmp_path, member)
    source = FolderSource(tmp_path, known=["r1.e0001.solve.1.1"], follow=False)
    samples = [read_sample(raw) for raw in await source.take(8, 0)]
    assert [sample.id for sample in samples if isinstance(sample, Sample)] == ["r1.e0001.solve.1.0", "r1.e0001.solve.1.2"]
    assert source.is_over
    await source.close()


async def test_damage_is_given_for_refusal(tmp_path: Path) -> None:
    make_run(tmp_path)
    (tmp_path / "samples.jsonl").write_text('not json\n[1]\n{"rollout_id": "' + "x" * 900 + '"}\n')
    settle(tmp_path, 0)
    settle(tmp_path, 1)
    (tmp_path / "trajectories" / "e0001.solve.1.1.msgpack").write_bytes(b"x" * 2_000)
    outside = json.dumps(settled_line(rollout_id="e0009", trajectory="../../secret"))
    with (tmp_path / "samples.jsonl").open("a") as log:
        log.write(outside + "\n")
    source = FolderSource(tmp_path, follow=False, line_bytes_max=800, record_bytes_max=1_999)
    answers = [read_sample(raw) for raw in await source.take(8, 0)]
    codes = [answer.code if isinstance(answer, Refusal) else answer.id for answer in answers]
    assert codes == ["SAMPLE_LINE"] * 3 + ["r1.e0001.solve.1.0", "SAMPLE_NO_RECORD", "SAMPLE_NO_RECORD"]
    assert "record_bytes_max" in answers[4].reason and "no path within" in answers[5].reason and "not json" in answers[0].reason
    await source.close()


async def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainerError) as caught:
        FolderSource(tmp_path)
    assert caught.value.code == "FOLDER_NO_RUN" and str(tmp_path) in str(caught.value)
