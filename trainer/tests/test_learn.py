"""Parts of the comparison: arenas of the family, what the teacher says of them, and the intervals of the report."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest

from spar_trainer.learn.family import BANK, draw_arenas, load, passes
from spar_trainer.learn.intervals import gained, solve_rate
from spar_trainer.learn.repository import write_repository
from spar_trainer.learn.teacher import SHOW, draw_hidden, hide, oracle_patch
from spar_trainer.learn.teacher_server import Teacher
from spar_trainer.learn.warm_start import draw_conversation
from spar_trainer.learn.words import train_tokenizer


def test_arenas_are_of_the_whole_bank_and_each_of_its_bugs_breaks_what_it_says() -> None:
    arenas = draw_arenas("a", 6, random.Random(3))
    assert {function.name for arena in arenas[:3] for function in arena.functions} == {name for name, _, _ in BANK}
    for arena in arenas:
        assert arena.candidates
        for bug in arena.candidates:
            code = list(arena.code)
            assert code[bug.line] == bug.before
            code[bug.line] = bug.after
            names = load(code)
            failing = tuple(number for number, line in enumerate(arena.test_lines, 1) if line.startswith("assert ") and not passes(names, line[7:]))
            assert failing == bug.breaks


def test_a_repair_that_guesses_leaves_a_bug() -> None:
    for arena in draw_arenas("a", 9, random.Random(4)):
        for bug in arena.candidates:
            assert bug.broken in bug.misses and bug.whole not in bug.misses
            assert all(len(miss) == len(bug.whole) and miss[0] == bug.whole[0] for miss in bug.misses)


def test_the_teacher_writes_what_git_and_the_tests_would(tmp_path: Path) -> None:
    """Goal: a cloned conversation reads as a real one. Method: the teacher's own commands in a repository of the family."""
    chance = random.Random(5)
    for number, arena in enumerate(draw_arenas("a", 4, chance)):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_repository(arena, folder)
        bug = chance.choice(arena.candidates)
        hidden = draw_hidden(bug, chance)
        code = list(arena.code)
        code[bug.line] = bug.after
        (folder / "lib.py").write_text("\n".join(code) + "\n")
        assert shell(SHOW.replace("/spar/", "./"), folder) == " ".join(map(str, bug.breaks)) + "\n"
        command = re.search(r"<tool: bash>\n(.*)\n</tool>", hide(hidden))
        assert command is not None
        shell(command[1].replace("/spar/", "./"), folder)
        backwards = shell("git diff -R -U1 tests | grep -v ^index", folder)
        assert oracle_patch(arena, bug, hidden) == re.sub(r"([ab])/tests", lambda side: f"{'b' if side[1] == 'a' else 'a'}/tests", backwards)


def shell(command: str, folder: Path) -> str:
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_the_teacher_plays_its_conversations_by_the_messages_alone() -> None:
    arenas = draw_arenas("a", 3, random.Random(8))
    teacher = Teacher(arenas)
    messages = draw_conversation(arenas, "solver", random.Random(2), known=1)
    assert len(messages) == 7
    for at, message in enumerate(messages):
        if message["role"] == "assistant":
            assert teacher.reply(messages[:at], 0) == message["content"]
    asked = [teacher.reply(draw_conversation(arenas, "breaker", random.Random(2))[:4], seed + 1) for seed in range(20)]
    assert len(set(asked)) > 1 and asked == [teacher.reply(draw_conversation(arenas, "breaker", random.Random(2))[:4], seed + 1) for seed in range(20)]


def test_the_tokenizer_gives_back_every_text() -> None:
    arenas = draw_arenas("a", 9, random.Random(1))
    tokenizer = train_tokenizer(("".join(one["content"] for one in draw_conversation([arena], "solver", random.Random(1))) for arena in arenas), 400)
    for text in ("def f(xs):\n    return xs[-1]\n", "naïve – 😀\t\x07", *arenas[0].code):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_intervals_of_what_is_the_same_everywhere_have_no_width_and_others_hold_their_mean() -> None:
    even = {f"e{number}": [1, 2] for number in range(9)}
    assert solve_rate([even, even], lambda seed: seed) == (0.5, 0.5, 0.5)
    mixed = {f"e{number}": [number % 2, 1] for number in range(40)}
    mean, low, high = solve_rate([mixed, mixed, mixed], lambda seed: seed)
    assert mean == 0.5 and 0.35 < low < 0.46 and 0.54 < high < 0.65
    assert gained([mixed], lambda _: mixed, lambda _: {bug: [1, 1] for bug in mixed})[0] == pytest.approx(0.5)
