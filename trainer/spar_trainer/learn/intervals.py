"""Intervals of solve rates by the bootstrap: seeds are drawn again, and in each its bugs. What two weights did with the same bugs is
compared bug by bug."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

DRAWS = 4_000
Bugs = dict[str, list[int]]
"""Of each bug: attempts that solved it, and attempts."""


def interval(seeds: Sequence[Any], bugs_of: Callable[[Any], Sequence[str]], figure: Callable[[Any, Sequence[str]], float]) -> tuple[float, float, float]:
    """(mean over seeds, and where 95 % of the draws lie). `figure` is asked for a seed and some of its bugs, which may be there more than once."""
    chance = random.Random(0)
    mean = sum(figure(seed, bugs_of(seed)) for seed in seeds) / len(seeds)
    draws = []
    for _ in range(DRAWS):
        drawn = [chance.choice(seeds) for _ in seeds]
        draws.append(sum(figure(seed, chance.choices(bugs_of(seed), k=len(bugs_of(seed)))) for seed in drawn) / len(drawn))
    draws.sort()
    return mean, draws[int(0.025 * DRAWS)], draws[int(0.975 * DRAWS)]


def solve_rate(seeds: Sequence[Any], of: Callable[[Any], Bugs]) -> tuple[float, float, float]:
    return interval(seeds, lambda seed: sorted(of(seed)), lambda seed, bugs: sum(_share(of(seed)[bug]) for bug in bugs) / len(bugs))


def gained(seeds: Sequence[Any], before: Callable[[Any], Bugs], after: Callable[[Any], Bugs]) -> tuple[float, float, float]:
    return interval(
        seeds, lambda seed: sorted(before(seed).keys() & after(seed).keys()),
        lambda seed, bugs: sum(_share(after(seed)[bug]) - _share(before(seed)[bug]) for bug in bugs) / len(bugs),
    )


def _share(counts: Sequence[int]) -> float:
    return counts[0] / counts[1]
