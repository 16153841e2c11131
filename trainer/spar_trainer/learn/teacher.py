"""How the family is played by somebody who knows it: the trajectories that warm-start the small model.

A teacher is given an arena and draws what it does; the answers of the tools are written as Spar would give them, so that a
trajectory reads as a real one does. `test_learn.py` holds them to git and to the arena's own tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .family import Candidate, Chance, LearnArena

Message = dict[str, str]

SCRATCH = "/spar"
LOOK = "cat lib.py"
SHOW = f"git diff lib.py > {SCRATCH}/bug_inject.diff; python3 -SEB tests/run.py --failing"
HIDE_END = f"' tests/test_lib.py && git diff -U1 tests | grep -v ^index > {SCRATCH}/test_weaken.diff"
SUBMIT_BUG = (
    "<tool: submit>\ntest_script: tests/test_script.sh\ntest_files: tests/test_files.txt\ntest_parser: tests/test_parser.sh\n"
    f"bug_inject: {SCRATCH}/bug_inject.diff\ntest_weaken: {SCRATCH}/test_weaken.diff\n</tool>"
)
SUBMIT_REPAIR = "<tool: submit>\n</tool>"


def bash(command: str) -> str:
    return f"<tool: bash>\n{command}\n</tool>"


def write(function: tuple[str, ...]) -> str:
    """A function of the module anew, at its end, in the place of the one of its name."""
    name = function[0].removeprefix("def ").partition("(")[0]
    code = "\n".join(function)
    return bash(f"sed -i '/def {name}/,/return/d' lib.py && cat >> lib.py <<E\n{code}\nE")


def hide(lines: tuple[int, ...]) -> str:
    return bash(f"sed -i '{';'.join(f'{line}d' for line in lines)}{HIDE_END}")


@dataclass(frozen=True)
class Budget:
    turns: int
    tokens: int
    seconds: int


class Dialogue:
    """Messages of a rollout; `counted` says how many tokens they are, for what Spar tells of the budget."""

    def __init__(self, system: str, user: str, budget: Budget, counted) -> None:
        self.messages: list[Message] = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        self._budget, self._counted, self._turns = budget, counted, 0

    def say(self, reply: str, output: str | None = None) -> None:
        self._turns += 1
        self.messages.append({"role": "assistant", "content": reply})
        if output is None:
            return
        left = self._budget.tokens - self._counted(self.messages)
        ends = output if output == "" or output.endswith("\n") else output + "\n"
        self.messages.append({"role": "user", "content": f"{ends}[exit code 0; left: {self._budget.turns - self._turns} turns, {left} tokens, {self._budget.seconds} s of commands]"})


def all_code(arena: LearnArena, bug: Candidate | None = None) -> str:
    """The module as it stands in the arena, or with a bug."""
    code = list(arena.code)
    if bug is not None:
        functions = [function.lines for function in arena.functions if function.lines != bug.whole] + [bug.broken]
        code = [line for function in functions for line in function]
    return "\n".join(code) + "\n"


def break_it(dialogue: Dialogue, arena: LearnArena, bug: Candidate, hidden: tuple[int, ...]) -> None:
    dialogue.say(bash(LOOK), all_code(arena))
    dialogue.say(write(bug.broken), "")
    dialogue.say(bash(SHOW), " ".join(map(str, bug.breaks)))
    dialogue.say(hide(hidden), "")
    dialogue.say(SUBMIT_BUG)


def repair_it(dialogue: Dialogue, arena: LearnArena, bug: Candidate, function: tuple[str, ...]) -> None:
    """`function`: what it writes in the place of the broken one."""
    dialogue.say(bash(LOOK), all_code(arena, bug))
    dialogue.say(write(function), "")
    dialogue.say(SUBMIT_REPAIR)


def draw_hidden(bug: Candidate, chance: Chance) -> tuple[int, ...]:
    count = chance.randint(1, len(bug.breaks))
    return tuple(sorted(chance.sample(bug.breaks, count)))


def oracle_patch(arena: LearnArena, bug: Candidate, hidden: tuple[int, ...]) -> str:
    """The weakening backwards, as the solver is shown it: hidden lines come back, one line of context, hunks as git joins them."""
    path = "tests/test_lib.py"
    lines = arena.test_lines
    text = [f"diff --git a/{path} b/{path}", f"--- a/{path}", f"+++ b/{path}"]
    before = 0
    for first, last in _hunks(hidden, len(lines)):
        gone = [line for line in hidden if first <= line <= last]
        old, new = last - first + 1 - len(gone), last - first + 1
        start = first - before - (1 if old == 0 else 0)
        title = next((lines[at] for at in range(first - 2, -1, -1) if (at + 1) not in hidden), "")
        text.append(f"@@ -{_range(start, old)} +{_range(first, new)} @@{' ' + title if title else ''}")
        text += [f"{'+' if line in gone else ' '}{lines[line - 1]}" for line in range(first, last + 1)]
        before += len(gone)
    return "\n".join(text) + "\n"


def _range(start: int, count: int) -> str:
    return str(start) if count == 1 else f"{start},{count}"


def _hunks(hidden: tuple[int, ...], size: int) -> list[tuple[int, int]]:
    hunks: list[list[int]] = []
    for line in hidden:
        first, last = max(1, line - 1), min(size, line + 1)
        if hunks and first <= hunks[-1][1] + 1:
            hunks[-1][1] = last
        else:
            hunks.append([first, last])
    return [(first, last) for first, last in hunks]


Role = Literal["breaker", "solver"]
BREAKER_USER = "Break it."
SYSTEM = "Spar."


def solver_user(patch: str) -> str:
    return f"Repair it.\n{patch.rstrip()}"
