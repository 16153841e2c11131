"""What the engine is told to do between two steps, in order: its callers wait, and may give up before it comes to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from .errors import ServeError


class Commands:
    """Used under the engine's lock."""

    def __init__(self) -> None:
        self._given: deque[tuple[Callable[[], None], Future[None]]] = deque()

    def add(self, run: Callable[[], None]) -> Future[None]:
        done: Future[None] = Future()
        self._given.append((run, done))
        return done

    def do_all(self) -> None:
        """One whose caller is gone is left out. One that fails is answered with why."""
        while self._given:
            run, done = self._given.popleft()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                run()
            except Exception as error:  # noqa: BLE001 - it is raised to whoever gave the command
                done.set_exception(error)
            else:
                done.set_result(None)

    def refuse(self, error: ServeError) -> None:
        while self._given:
            _, done = self._given.popleft()
            if done.set_running_or_notify_cancel():
                done.set_exception(error)
