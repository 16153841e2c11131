"""Run folders for tests of training, as `spar play` leaves them, with rollouts drawn at random from a seed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from .samples import record_map, segment_map, settled_line

VOCABULARY = 260


def write_run(
    folder: Path, *, groups: int, members: int = 4, seed: int = 0, name: str = "r1", is_over: bool = True, tokens: int = 24,
    version: str = "step-0", breakers: bool = True, top_p: float = 1.0, spoiled: tuple[int, ...] = (), equal: tuple[int, ...] = (),
) -> list[str]:
    """The ids of its samples, in their order. Members of neighbouring groups are mixed. `spoiled`: groups whose first member has a
    broken record; `equal`: groups whose rewards are the same."""
    random = np.random.default_rng(seed)
    (folder / "trajectories").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"run": name}))
    lines = []
    for group in range(groups):
        role = "breaker" if breakers and group % 3 == 2 else "solver"
        for member in range(members):
            line = line_of(group, member, members, role, 1.0 if group in equal else reward_of(role, member, random))
            record = record_of(line, name, role, rollout(random, tokens, version), version, top_p)
            data = b"\xc1broken" if group in spoiled and member == 0 else msgpack.packb(record)
            (folder / line["trajectory"]).write_bytes(data)
            lines.append(line)
    mixed = [line for at in range(0, len(lines), 2 * members) for line in random.permutation(np.array(lines[at : at + 2 * members], dtype=object))]
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in mixed))
    if is_over:
        (folder / "summary.json").write_text("{}")
    return [f"{name}.{line['rollout_id']}" for line in mixed]


def line_of(group: int, member: int, members: int, role: str, reward: float) -> dict[str, Any]:
    rollout_id = f"e{group:04d}.{'break' if role == 'breaker' else 'solve.1'}.{member}"
    components = {"valid": float(reward > -1), "alpha": 0.8} if role == "breaker" else {}
    return settled_line(
        rollout_id=rollout_id, episode_id=f"e{group:04d}", role=role, group_id=f"g{group}", group_size=members, member_index=member, reward=reward,
        solved=reward > 0 if role == "solver" else None, reward_components=components, trajectory=f"trajectories/{rollout_id}.msgpack",
    )


def record_of(line: dict[str, Any], run: str, role: str, segments: list[dict[str, Any]], version: str, top_p: float = 1.0) -> dict[str, Any]:
    return record_map(
        run_id=run, rollout_id=line["rollout_id"], role=role, group_id=line["group_id"], episode_id=line["episode_id"], segments=segments,
        policy={"name": "m", "version_start": version, "version_end": version}, calls=[{"sampling": {"temperature": 1.0, "top_p": top_p}, "logprobs_mode": None, "error": None}],
    )


def reward_of(role: str, member: int, random: np.random.Generator) -> float:
    """The first two members always differ."""
    solved = member == 0 or (member > 1 and random.random() < 0.5)
    return (1.0 if solved else -1.0) if role == "solver" else (0.55 if solved else -0.8)


def rollout(random: np.random.Generator, tokens: int, version: str) -> list[dict[str, Any]]:
    """One or two segments: a prompt, then turns of drawn and given tokens."""
    return [segment(random, int(random.integers(tokens // 2, tokens)), version) for _ in range(int(random.integers(1, 3)))]


def segment(random: np.random.Generator, length: int, version: str) -> dict[str, Any]:
    mask = np.concatenate([[0, 0, 1], random.integers(0, 2, length - 3)])
    logprobs = np.where(mask == 1, -math.log(VOCABULARY) + random.normal(0, 0.1, length), 0.0)
    ids = [int(one) for one in random.integers(0, VOCABULARY, length)]
    return segment_map(ids, [int(one) for one in mask], [float(one) for one in np.minimum(logprobs, 0)], [(version, length)])
