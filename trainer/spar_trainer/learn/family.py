"""The family of small arenas that `npm run learn` plays on.

An arena is a git repository of one Python module with four functions and one test file. Functions come from a bank; which of them, in which order, beside which others and with which tests
is drawn from a seed, so that arenas that training never saw are of the same kind and still not the same. Every test is one line, so that a test can be taken away
without reading the others.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

Chance = random.Random

# Name, parameters by kind, body. `i` is a small number, `l` a list of them. In a body, `$0 $1 …` are the parameters, `@` a
# variable of its own.
BANK: tuple[tuple[str, str, str], ...] = (
    ("add", "ii", "return $0 + $1"),
    ("sub", "ii", "return $0 - $1"),
    ("area", "ii", "return $0 * $1"),
    ("bigger", "ii", "return max($0, $1)"),
    ("smaller", "ii", "return min($0, $1)"),
    ("double", "i", "return $0 + $0"),
    ("square", "i", "return $0 * $0"),
    ("first", "l", "return $0[0]"),
    ("last", "l", "return $0[-1]"),
    ("total", "l", "@ = 0\nfor item in $0:\n    @ = @ + item\nreturn @"),
    ("product", "l", "@ = 1\nfor item in $0:\n    @ = @ * item\nreturn @"),
    ("count_above", "li", "@ = 0\nfor item in $0:\n    if item > $1:\n        @ = @ + 1\nreturn @"),
)

VARIABLES = {"i": ("a",), "ii": ("a", "b"), "l": ("xs",), "li": ("xs", "b")}

# What a bug puts in the place of what, each way round.
SWAPS: tuple[tuple[str, str], ...] = (
    (" + ", " - "), (" + ", " * "), (" - ", " * "), ("max(", "min("), (" > ", " < "), ("[0]", "[1]"), ("[-1]", "[0]"), (" = 0", " = 1"),
)
REPLACEMENTS: tuple[tuple[str, str], ...] = (*SWAPS, *((after, before) for before, after in SWAPS))

TESTS_PER_FUNCTION = 4
FUNCTIONS = 4


@dataclass(frozen=True)
class Function:
    name: str
    kinds: str
    lines: tuple[str, ...]
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """A bug of one line (numbers from 0), and the lines of the test file (numbers from 1) that it breaks."""

    line: int
    before: str
    after: str
    breaks: tuple[int, ...]
    whole: tuple[str, ...]
    """The function that it stands in, as it was."""
    broken: tuple[str, ...]

    @cached_property
    def misses(self) -> tuple[tuple[str, ...], ...]:
        """What a repair that only guesses leaves: the broken function as it is, or with one more edit by `REPLACEMENTS` that does not mend it."""
        edited = {(*self.broken[:at], after, *self.broken[at + 1:]) for at, line in enumerate(self.broken) if at > 0 for after in _mutants(line)}
        return tuple(sorted((edited | {self.broken}) - {self.whole}))


@dataclass(frozen=True)
class LearnArena:
    name: str
    functions: tuple[Function, ...]

    @cached_property
    def code(self) -> list[str]:
        return [line for function in self.functions for line in function.lines]

    @cached_property
    def test_lines(self) -> list[str]:
        return ["from lib import *", *(f"assert {test}" for function in self.functions for test in function.tests)]

    @property
    def is_plain(self) -> bool:
        return all(len(set(lines)) == len(lines) for lines in (self.code, self.test_lines))

    def files(self) -> dict[str, str]:
        return {"lib.py": "\n".join(self.code) + "\n", "tests/test_lib.py": "\n".join(self.test_lines) + "\n"}

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every bug of one line by `REPLACEMENTS` that breaks tests of its function."""
        return tuple(_candidates(self))


def draw_arenas(name: str, count: int, chance: Chance) -> list[LearnArena]:
    """`<name>0`, `<name>1` …: no function twice in one, nor in all together as long as the bank lasts. No line stands twice in an
    arena, so that a line alone says where it stands."""
    arenas: list[LearnArena] = []
    while len(arenas) < count:
        bank = chance.sample(BANK, len(BANK))
        drawn = [tuple(_draw_function(entry, chance) for entry in bank[at:at + FUNCTIONS]) for at in range(0, len(bank) - FUNCTIONS + 1, FUNCTIONS)]
        dealt = [LearnArena(f"{name}{len(arenas) + at}", functions) for at, functions in enumerate(drawn)]
        if all(arena.is_plain for arena in dealt):
            arenas += dealt
    return arenas[:count]


def _draw_function(entry: tuple[str, str, str], chance: Chance) -> Function:
    name, kinds, body = entry
    names = [*VARIABLES[kinds], "n"]
    text = re.sub(r"\$(\d)", lambda match: names[int(match[1])], body).replace("@", names[-1])
    lines = (f"def {name}({', '.join(names[:-1])}):", *(f"    {line}" for line in text.split("\n")))
    return Function(name, kinds, lines, tuple(_draw_tests(name, kinds, lines, chance)))


def _draw_tests(name: str, kinds: str, lines: tuple[str, ...], chance: Chance) -> Iterator[str]:
    call = load(lines)[name]
    seen: set[str] = set()
    while len(seen) < TESTS_PER_FUNCTION:
        arguments = [chance.randint(0, 9) if kind == "i" else [chance.randint(0, 9) for _ in range(3)] for kind in kinds]
        test = f"{name}({', '.join(map(repr, arguments))}) == {call(*arguments)!r}"
        if test not in seen:
            seen.add(test)
            yield test


def load(lines: list[str] | tuple[str, ...]) -> dict[str, Callable[..., object]]:
    """The functions of a module of this family. Only for what this file wrote: never for what a model did."""
    names: dict[str, Callable[..., object]] = {}
    exec("\n".join(lines), names)  # noqa: S102
    return names


def passes(names: dict[str, Callable[..., object]], test: str) -> bool:
    try:
        return bool(eval(test, names))  # noqa: S307
    except Exception:  # noqa: BLE001
        return False


def _candidates(arena: LearnArena) -> Iterator[Candidate]:
    tests = arena.test_lines
    start = 0
    for function in arena.functions:
        for at, line in enumerate(function.lines):
            for after in sorted(set(_mutants(line))) if at > 0 else ():
                lines = [*function.lines[:at], after, *function.lines[at + 1:]]
                names = load(lines)
                breaks = tuple(tests.index(f"assert {test}") + 1 for test in function.tests if not passes(names, test))
                if breaks and after not in arena.code:
                    yield Candidate(start + at, line, after, breaks, function.lines, tuple(lines))
        start += len(function.lines)


def _mutants(line: str) -> Iterator[str]:
    for before, after in REPLACEMENTS:
        if line.count(before) == 1:
            yield line.replace(before, after)
