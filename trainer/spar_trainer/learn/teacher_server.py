"""The teacher behind chat completions, so that Spar can play it in place of a model: the bugs that solvers are measured on, and
the fixed set that one of the baselines repairs. It says no tokens, so nothing can be trained on it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from aiohttp import web

from .family import Candidate, LearnArena
from .teacher import LOOK, SHOW, SUBMIT_BUG, SUBMIT_REPAIR, Message, all_code, bash, hide, write

_FOOTER = re.compile(r"\n?\[exit code [^\]]*\]$")


class Teacher:
    """Replies by the messages alone: a conversation may come in any order and from any process. `bugs_each`: how many bugs of an
    arena it draws from, the same ones always; None: all."""

    def __init__(self, arenas: Sequence[LearnArena], bugs_each: int | None = None) -> None:
        self._bugs = {all_code(arena): _chosen(arena, bugs_each) for arena in arenas}
        self._repairs = {all_code(arena, bug): bug for arena in arenas for bug in arena.candidates}

    def reply(self, messages: Sequence[Message], seed: int) -> str:
        turn = sum(message["role"] == "assistant" for message in messages)
        told = _FOOTER.sub("", messages[-1]["content"])
        chance = random.Random(seed - turn)
        if turn == 0:
            return bash(LOOK)
        return self._break(turn, told, chance) if messages[1]["content"].startswith("Break") else self._repair(turn, told)

    def _break(self, turn: int, told: str, chance: random.Random) -> str:
        if turn == 1:
            bug = self._draw(told, chance)
            return write(bug.broken)
        if turn == 2:
            return bash(SHOW)
        if turn == 3:
            failing = [int(number) for number in told.split()]
            return hide(tuple(sorted(chance.sample(failing, chance.randint(1, len(failing))))))
        return SUBMIT_BUG

    def _draw(self, told: str, chance: random.Random) -> Candidate:
        return chance.choice(self._bugs[told + "\n"])

    def _repair(self, turn: int, told: str) -> str:
        bug = self._repairs.get(told + "\n") if turn == 1 else None
        return write(bug.whole) if bug is not None else SUBMIT_REPAIR


def _chosen(arena: LearnArena, count: int | None) -> tuple[Candidate, ...]:
    bugs = arena.candidates
    return bugs if count is None or count >= len(bugs) else tuple(random.Random(arena.name).sample(bugs, count))


def teacher_app(teacher: Teacher, model: str) -> web.Application:
    """`model`: the name that it is asked for, since a run names one for both roles."""

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": model, "object": "model", "owned_by": "spar"}]})

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        try:
            text = teacher.reply(body["messages"], body.get("seed", 0))
        except (KeyError, IndexError, ValueError) as error:
            return web.json_response({"error": {"message": f"the teacher does not know what to do with {error!r}"}}, status=400)
        return web.json_response({
            "id": "teacher", "object": "chat.completion", "model": model,
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        })

    app = web.Application()
    app.add_routes([web.get("/v1/models", models), web.post("/v1/chat/completions", complete)])
    return app
