"""The comparison, from nothing to its report: a model is made and warm-started, and for every seed measured on bugs that nobody trained on,
trained in each arm for the same number of rollouts, and measured again.

    <out>/warm-start/       the random model, the conversations, what spar-trainer sft leaves
    <out>/seed-1/           arenas/, <arm>/ (what spar-trainer train leaves), <run>.jsonl (what settled)
    <out>/results.json      every figure of the report
    <out>/report.html

What has its result is not played again: the same command goes on where it was.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..nats_options import NatsOptions
from ..sources.replay import replay
from .arms import ARMS, Arm
from .cluster import MODEL, Cluster, Play, lay_out, open_cluster, teaching
from .family import LearnArena, draw_arenas
from .processes import ENVIRONMENT, LearnError, end, finish, program, trainer
from .warm_start import CONTEXT, write_conversations, write_model

Settled = dict[str, Any]
WARM_SAMPLES = 8
"""Conversations of one step of the warm start."""
STALL_SECONDS = 120.0
"""Without a sample, a run is given up."""


@dataclass(frozen=True)
class LearnOptions:
    out: Path
    spar: tuple[str | Path, ...]
    """How the command of Spar is started."""
    nats_server: str
    seeds: int = 3
    rollouts: int = 400
    """Of the model, in each arm."""
    conversations: int = 9_000
    """That the warm start clones."""
    family: int = 1_000
    """Arenas that the conversations are of."""
    train_arenas: int = 9
    held_out_arenas: int = 6
    group: int = 4
    in_flight: int = 6
    fixed_bugs: int = 4
    """Of each arena, in the arm that only repairs."""
    eval_bugs: int = 48
    eval_attempts: int = 2
    warm_learning_rate: float = 6e-3
    learning_rate: float = 2e-4
    samples_per_step: int = 16
    epochs: int = 3
    """Updates with the samples of a step."""


async def learn(options: LearnOptions, say: Callable[[str], None]) -> dict[str, Any]:
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    families = [Family.draw(options, seed) for seed in range(1, options.seeds + 1)]
    weights = await _warm_start(options, families, say)
    seeds = [await _seed(options, seed, family, weights, say) for seed, family in enumerate(families, 1)]
    results = {"options": {name: value for name, value in asdict(options).items() if name not in ("out", "spar", "nats_server")},
               "seconds": round(time.monotonic() - began), "seeds": seeds}
    _write(options.out / "results.json", results)
    return results


@dataclass(frozen=True)
class Family:
    """The arenas of a seed."""

    train: list[LearnArena]
    held_out: list[LearnArena]

    @classmethod
    def draw(cls, options: LearnOptions, seed: int) -> Family:
        chance = random.Random(seed)
        held_out = draw_arenas("held-out-", options.held_out_arenas, chance)
        return cls(_without(held_out, draw_arenas("train-", options.train_arenas, chance)), held_out)


def _without(unseen: Sequence[LearnArena], arenas: Sequence[LearnArena]) -> list[LearnArena]:
    """An arena is held out by its code: another name makes no other arena."""
    codes = {tuple(arena.code) for arena in unseen}
    return [arena for arena in arenas if tuple(arena.code) not in codes]


async def _warm_start(options: LearnOptions, families: Sequence[Family], say: Callable[[str], None]) -> Path:
    """One for all seeds, of arenas that none of them measures with."""
    folder = options.out / "warm-start"
    policy = folder / "sft" / "policy"
    if policy.exists():
        return policy
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    began = time.monotonic()
    arenas = _without([arena for family in families for arena in family.held_out], draw_arenas("warm-", options.family, random.Random(0)))
    tokenizer = await asyncio.to_thread(write_model, folder / "model", arenas, 0)
    await asyncio.to_thread(write_conversations, folder / "clone.jsonl", arenas, options.conversations, tokenizer, 0)
    words = trainer(
        "sft", "--model", folder / "model", "--out", folder / "sft", "--source", folder / "clone.jsonl", "--learning-rate", str(options.warm_learning_rate),
        "--warmup-steps", "20", "--decay-steps", str(options.conversations // WARM_SAMPLES), "--weight-decay", "0.01", "--dtype", "fp32", "--max-context", str(CONTEXT),
        "--samples-per-step", str(WARM_SAMPLES), "--micro-batch-tokens", "512", "--checkpoint-every", "100000", "--threads", "1",
    )
    await finish("spar-trainer sft", words, folder / "sft.log", ENVIRONMENT)
    say(f"a model is made, and has cloned {options.conversations} conversations in {time.monotonic() - began:.0f} s")
    return policy


async def _seed(options: LearnOptions, seed: int, family: Family, weights: Path, say: Callable[[str], None]) -> dict[str, Any]:
    folder = options.out / f"seed-{seed}"
    kept = folder / "result.json"
    if kept.exists():
        return json.loads(kept.read_text())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    result: dict[str, Any] = {"seed": seed, "arms": {}}
    async with open_cluster(folder, weights, spar=options.spar, nats_server=options.nats_server) as cluster:
        course = Course(options, seed, family, folder, cluster, say)
        result["before"] = await course.evaluate("before")
        for arm in ARMS:
            result["arms"][arm.name] = await course.train(arm, weights)
    _write(kept, result)
    shutil.rmtree(folder / "nats", ignore_errors=True)
    return result


@dataclass(frozen=True)
class Course:
    """What is played and trained with one seed."""

    options: LearnOptions
    seed: int
    family: Family
    folder: Path
    cluster: Cluster
    say: Callable[[str], None]

    async def evaluate(self, name: str) -> dict[str, Any]:
        """Attempts of the weights that are served on held-out bugs: the same ones for whoever is measured with this seed."""
        options = self.options
        paths = lay_out(self.family.held_out, self.folder / "arenas")
        async with teaching(self.family.held_out, None) as teacher:
            play = Play(f"eval-{name}", paths, f"openai={teacher}", options.eval_bugs, options.eval_attempts, options.in_flight, 1_000 + self.seed)
            settled = await self._play(play, ("breaker", "solver"), lambda lines: _is_complete(lines, options.eval_bugs, options.eval_attempts))
        attempts = [line for line in settled if line["role"] == "solver"]
        bugs: dict[str, list[bool]] = {}
        for line in attempts:
            bugs.setdefault(line["episode_id"], []).append(bool(line["solved"]))
        solved = sum(line["solved"] is True for line in attempts)
        self.say(f"seed {self.seed}: {name}: {solved} of {len(attempts)} attempts on {len(bugs)} held-out bugs solve ({solved / max(1, len(attempts)):.0%})")
        return {"attempts": len(attempts), "solved": solved, "bugs": {bug: [sum(found), len(found)] for bug, found in sorted(bugs.items())}}

    async def train(self, arm: Arm, weights: Path) -> dict[str, Any]:
        options, run = self.options, arm.name
        await self.cluster.serve(weights, "step-0")
        paths = lay_out(self.family.train, self.folder / "arenas")
        words = trainer(
            "train", "--model", weights, "--out", self.folder / arm.name, "--source", "nats", "--runs", run, "--nats", self.cluster.nats, "--roles", arm.roles, "--seed", str(self.seed),
            "--publish", MODEL, "--servers", f"spar={self.cluster.model}", "--learning-rate", str(options.learning_rate), "--warmup-steps", "2", "--dtype", "fp32", "--max-context", str(CONTEXT),
            "--samples-per-step", str(options.samples_per_step), "--epochs", str(options.epochs), "--micro-batch-tokens", "512", "--steps", "100000", "--group-size", str(options.group), "--checkpoint-every", "5",
            "--threads", "1", "--unversioned", "fresh",
        )
        began = time.monotonic()
        log = self.folder / "logs" / f"{run}.log"
        async with teaching(self.family.train, options.fixed_bugs) as teacher, program("spar-trainer train", words, log, ENVIRONMENT) as process:
            breaker = f"sglang={self.cluster.model}" if arm.breaker == "model" else f"openai={teacher}"
            play = Play(run, paths, breaker, None, options.group, options.in_flight, self.seed)
            settled = await self._play(play, arm.counted, lambda lines: len(lines) >= options.rollouts, lambda: _alive(process, log))
            await end(process)
        seconds = time.monotonic() - began
        self.say(f"seed {self.seed}: {arm.name}: {len(settled)} rollouts in {seconds:.0f} s")
        shutil.copyfile(self.folder / arm.name / "metrics.jsonl", self.folder / f"{arm.name}-metrics.jsonl")
        await self.cluster.serve(self.folder / arm.name / "policy", "final")
        return {"rollouts": len(settled), "seconds": round(seconds), "rounds": rounds_of(settled), "after": await self.evaluate(f"after-{arm.name}")}

    async def _play(self, play: Play, roles: tuple[str, ...], is_enough: Callable[[list[Settled]], bool], check: Callable[[], None] = lambda: None) -> list[Settled]:
        """What settles in a run of these roles, until it is enough. What infrastructure took is left out."""
        await self.cluster.submit(play)
        settled: list[Settled] = []
        connection = await NatsOptions((self.cluster.nats,)).connect("spar-trainer learn")
        try:
            following = replay(connection, runs=[play.name], follow=True)
            while not is_enough(settled):
                check()
                try:
                    line = (await asyncio.wait_for(anext(following), STALL_SECONDS)).sample.settled
                except (TimeoutError, asyncio.TimeoutError):
                    raise LearnError("LEARN_STALLED", f"Nothing has settled in {play.name} for {STALL_SECONDS:.0f} s; see {self.folder / 'logs' / 'node.log'}") from None
                if line["role"] in roles and line["reward"] is not None:
                    settled.append(line)
        finally:
            await connection.close()
        if play.episodes is None:
            await self.cluster.cancel(play.name)
        with (self.folder / f"{play.name}.jsonl").open("w") as out:
            out.writelines(json.dumps(line) + "\n" for line in settled)
        return settled


def _is_complete(lines: list[Settled], bugs: int, attempts: int) -> bool:
    """All bugs are there, and all attempts on those that are valid."""
    breaks = [line for line in lines if line["role"] == "breaker"]
    valid = sum(line["reward_components"]["valid"] for line in breaks)
    return len(breaks) == bugs and len(lines) - bugs >= valid * attempts


def rounds_of(settled: list[Settled], parts: int = 8) -> list[dict[str, Any]]:
    """The course of a run in so many parts of equal length: validity of bugs, mean s of valid ones, solve rate."""
    found = []
    for part in range(parts):
        lines = settled[len(settled) * part // parts:len(settled) * (part + 1) // parts]
        bugs = [line for line in lines if line["role"] == "breaker"]
        valid = [line["reward_components"] for line in bugs if line["reward_components"]["valid"]]
        rated = [one["solved"] / one["scored"] for one in valid if one["scored"] > 0]
        attempts = [line for line in lines if line["role"] == "solver"]
        found.append({
            "rollouts": len(settled) * (part + 1) // parts, "bugs": len(bugs), "valid": len(valid), "mean_s": _mean(rated),
            "attempts": len(attempts), "solved": sum(line["solved"] is True for line in attempts), "breaker_reward": _mean([line["reward"] for line in bugs]),
        })
    return found


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _alive(process: asyncio.subprocess.Process, log: Path) -> None:
    if process.returncode is not None:
        raise LearnError("LEARN_FAILED", f"spar-trainer train ended with {process.returncode}; see {log}")


def _write(path: Path, value: Any) -> None:
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(value, indent=1))
    beside.replace(path)
