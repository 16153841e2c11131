"""Continuous batching in one thread: requests join and leave the batch between two steps.

A step reads pieces of prompts and draws one token for each row that is through its prompt. New weights are put in between two
steps: what runs goes on with them, and every token knows the version that drew it. Keys and values of older weights are not
gone on from by requests that begin later.

1. Rows are dense: the rows 0 to n-1 run.
2. A token is drawn from the logits behind it, the request's seed and its index: not from the state of any generator.
3. A request ends exactly once: with a completion, or in silence where it was cancelled.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import torch

from .batch import CausalModel, Piece
from .engine_commands import Commands
from .errors import ServeError
from .key_values import REUSED_TOKENS_MIN, KeyValues, PrefixStore, common_prefix
from .limits import ServeLimits
from .requests import Request, Row
from .sampling import draw, uniform


@dataclass
class Counters:
    """Since the start. `completed`, `cancelled` and `failed` are requests."""

    completed: int = 0
    cancelled: int = 0
    failed: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    drawn_tokens: int = 0
    steps: int = 0
    updates: int = 0
    updates_failed: int = 0
    pauses_overrun: int = 0


class Engine:
    def __init__(self, model: CausalModel, version: str, context_max: int, limits: ServeLimits, now: Callable[[], float] = time.monotonic) -> None:
        self.version = version
        self.context_max = context_max
        self.counters = Counters()
        self._limits = limits
        self._now = now
        self._model = model
        self._generation = 0
        self._kv = KeyValues(model.kv_shape, limits.batch_max, context_max, model.dtype, model.device)
        self._prefixes = PrefixStore(limits.cache_bytes_max)
        self._waiting: deque[Request] = deque()
        self._rows: list[Row] = []
        self._commands = Commands()
        self._paused_until: float | None = None
        self._is_draining = False
        self._is_closed = False
        self._failure: str | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def model(self) -> CausalModel:
        return self._model

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._rows)

    @property
    def cache_bytes(self) -> int:
        return self._prefixes.bytes

    @property
    def is_paused(self) -> bool:
        return self._paused_until is not None

    @property
    def is_draining(self) -> bool:
        return self._is_draining

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, request: Request) -> None:
        """Raises SERVE_BUSY where the queue is full, SERVE_DRAINING where the server is ending, SERVE_FAILED where the engine has died."""
        with self._changed:
            self._check_alive()
            if self._is_draining:
                raise ServeError("SERVE_DRAINING", "Cannot take the request: the server is ending. Ask another")
            if len(self._waiting) >= self._limits.queue_max:
                self.counters.refused += 1
                raise ServeError("SERVE_BUSY", f"Cannot take the request: {len(self._waiting)} wait already, as many as --queue-max allows. Come again later")
            self._waiting.append(request)
            self._changed.notify()

    def cancel(self, request: Request) -> None:
        """It leaves the queue at once, or the batch before the next step."""
        with self._changed:
            request.is_cancelled = True
            if request in self._waiting:
                self._waiting.remove(request)
                self.counters.cancelled += 1
            self._changed.notify()

    def replace(self, model: CausalModel, version: str) -> Future[None]:
        """Takes other weights of the same shape between two steps, or at once while paused."""

        def put_in() -> None:
            self._model, self.version = model, version
            self._generation += 1
            self._prefixes.clear()
            self.counters.updates += 1

        return self._command(put_in)

    def forget(self) -> Future[None]:
        """Drops what is kept of finished turns."""
        return self._command(self._prefixes.clear)

    def pause(self) -> Future[None]:
        """What runs is frozen and goes on after `resume`, or by itself after `pause_seconds_max`."""

        def freeze() -> None:
            self._paused_until = self._now() + self._limits.pause_seconds_max

        return self._command(freeze)

    def resume(self) -> Future[None]:
        def go_on() -> None:
            self._paused_until = None

        return self._command(go_on)

    def drain(self) -> bool:
        """Takes nothing new, ends a pause, and waits for what is under way, for `drain_seconds_max`. False: something was still running."""
        until = self._now() + self._limits.drain_seconds_max
        with self._changed:
            self._is_draining = True
            self._paused_until = None
            self._changed.notify_all()
            while (self._waiting or self._rows) and (left := until - self._now()) > 0:
                self._changed.wait(min(left, 0.1))
            return not self._waiting and not self._rows

    def close(self) -> None:
        """What still runs or waits ends with an error."""
        with self._changed:
            self._is_draining = self._is_closed = True
            self._changed.notify_all()
        self._thread.join()
        self._end_all("the server has ended")

    def _command(self, run: Callable[[], None]) -> Future[None]:
        with self._changed:
            self._check_alive()
            if self._is_closed:
                raise ServeError("SERVE_DRAINING", "Cannot change the engine: the server is ending")
            done = self._commands.add(run)
            self._changed.notify()
            return done

    def _check_alive(self) -> None:
        if self._failure is not None:
            raise _dead(self._failure)

    def _run(self) -> None:
        try:
            with torch.inference_mode():
                while self._prepare():
                    try:
                        self._step()
                    except Exception as error:  # noqa: BLE001 - whatever the model's code raises ends the rows that it was computing, and no others
                        self._fail(f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - nobody may wait for a thread that is no more
            self._give_up(f"{type(error).__name__}: {error}")

    def _prepare(self) -> bool:
        """Waits until there is a step to do: commands are done, requests come in and go. False: the engine is closed."""
        with self._changed:
            while not self._is_closed:
                self._commands.do_all()
                try:
                    self._leave_cancelled()
                except Exception as error:  # noqa: BLE001 - as of a step
                    self._fail(f"{type(error).__name__}: {error}")
                if not self._is_frozen():
                    self._admit(self._limits.batch_max)
                    if self._rows:
                        return True
                self._changed.notify_all()
                self._changed.wait(None if self._paused_until is None else max(0.0, self._paused_until - self._now()))
            self._commands.refuse(ServeError("SERVE_DRAINING", "Cannot change the engine: the server is ending"))
            return False

    def _is_frozen(self) -> bool:
        if self._paused_until is not None and self._now() >= self._paused_until:
            self._paused_until = None
            self.counters.pauses_overrun += 1
        return self._paused_until is not None

    def _admit(self, rows_max: int) -> None:
        while self._waiting and len(self._rows) < rows_max:
            request = self._waiting.popleft()
            self._rows.append(Row(request, len(self._rows), self.version, self._generation, list(request.prompt)))
            self.counters.prompt_tokens += len(request.prompt)

    def _leave_cancelled(self) -> None:
        for row in [row for row in self._rows if row.request.is_cancelled]:
            self._leave(row)
            self.counters.cancelled += 1

    def _make_room(self) -> None:
        """Where there is no memory for a row, that one ends, and no other: what stands in shorter ones goes on."""
        for row in list(self._rows):
            try:
                self._kv.reserve(len(row.tokens))
            except (RuntimeError, MemoryError) as error:
                self._end(row, "error", f"there is no memory for the keys and values of {len(row.tokens)} tokens ({_line(error)}). Serve with less --max-batch, or ask for less")

    def _leave(self, row: Row) -> None:
        """The last row takes the place of the one that leaves. What it knows is kept, where the weights are still the same."""
        if row.generation == self._generation and row.computed > 0:
            self._keep(row)
        last = self._rows[-1]
        if last is not row:
            self._kv.move(last.index, row.index, last.computed)
            last.index = row.index
            self._rows[row.index] = last
        self._rows.pop()

    def _keep(self, row: Row) -> None:
        """It saves work later, no more: where there is no memory for the copy, it is not kept."""
        if not self._prefixes.takes(self._kv.size(row.computed)):
            return
        try:
            self._prefixes.keep(row.known(), self._kv.read(row.index, row.computed))
        except (RuntimeError, MemoryError) as error:
            print(f"spar-trainer serve: a turn of {row.computed} tokens is not kept: {_line(error)}", file=sys.stderr, flush=True)

    def _step(self) -> None:
        self._make_room()
        pieces = self._plan()
        if not pieces:
            return
        logits = self._model.forward(pieces, self._kv)
        drawing = [self._rows[piece.row] for piece in pieces if piece.wants_logits]
        for piece in pieces:
            self._rows[piece.row].computed += len(piece.tokens)
        self.counters.steps += 1
        if not drawing:
            return
        samplings = [row.request.sampling for row in drawing]
        tokens, logprobs = draw(logits, samplings, [uniform(row.request.sampling.seed, row.drawn) for row in drawing])
        for row, token, logprob in zip(drawing, tokens, logprobs, strict=True):
            self._take(row, token, logprob)

    def _plan(self) -> list[Piece]:
        """One token of each row that decodes, then prompts in the order that they came, up to `prefill_tokens_max`."""
        pieces = [Piece(row.index, row.computed, row.tokens[row.computed :], True) for row in self._rows if row.is_decoding]
        left = self._limits.prefill_tokens_max
        read: list[np.ndarray] = []
        for row in sorted((row for row in self._rows if not row.is_decoding), key=lambda row: row.has_looked, reverse=True):
            if left <= 0:
                break
            # What a row before it reads in this step is taken over in the next one.
            if not row.has_looked and not self._look(row, read):
                continue
            tokens = row.tokens[row.computed : row.computed + left]
            left -= len(tokens)
            read.append(row.prompt(row.computed + len(tokens)))
            pieces.append(Piece(row.index, row.computed, tokens, row.computed + len(tokens) == len(row.tokens)))
        return pieces

    def _look(self, row: Row, read: list[np.ndarray]) -> bool:
        """Takes over what is known of the start of the prompt: of a finished turn, or of a row beside it (a group begins with one
        prompt). False: more of it is among what is being read. The last token is always computed, for its logits."""
        prompt = row.prompt()
        kept, common = self._prefixes.find(prompt) or (None, REUSED_TOKENS_MIN - 1)
        for other in self._rows:
            beside = common_prefix(other.prompt(other.computed), prompt) if other.generation == self._generation else 0
            if beside > common:
                kept, common = self._kv.read(other.index, beside), beside
        if any(common_prefix(tokens, prompt) > common for tokens in read):
            return False
        row.has_looked, row.version, row.generation = True, self.version, self._generation
        if kept is not None:
            row.cached = row.computed = min(common, len(row.tokens) - 1)
            self._kv.write(row.index, kept, row.computed)
            self.counters.cached_tokens += row.cached
        return True

    def _take(self, row: Row, token: int, logprob: float) -> None:
        if not np.isfinite(logprob):
            self._end(row, "error", f"the weights {self.version} give probabilities that are no numbers")
            return
        row.add(token, logprob, self.version)
        self.counters.drawn_tokens += 1
        try:
            reason = row.finish_reason()
        except Exception as error:  # noqa: BLE001 - a tokenizer that cannot say the text of one row knows nothing of the others
            self._end(row, "error", f"its tokens are no text: {type(error).__name__}: {_line(error)}")
            return
        if reason is not None:
            self._end(row, reason)

    def _end(self, row: Row, reason: str, error: str | None = None) -> None:
        with self._changed:
            if error is not None:
                # What went wrong may stand in its keys and values: nobody goes on from them, nor sees them behind a mask.
                self._kv.wipe(row.index)
                row.computed = 0
            self._leave(row)
            if row.request.is_cancelled:
                self.counters.cancelled += 1
                return
            if error is None:
                self.counters.completed += 1
            else:
                self.counters.failed += 1
        row.request.on_end(row.completion(reason, error))

    def _fail(self, why: str) -> None:
        print(f"spar-trainer serve: a step failed: {why}", file=sys.stderr, flush=True)
        for row in list(self._rows):
            self._end(row, "error", why)

    def _give_up(self, why: str) -> None:
        print(f"spar-trainer serve: the engine has died: {why}", file=sys.stderr, flush=True)
        with self._changed:
            self._failure = why
            self._commands.refuse(_dead(why))
            self._end_all(f"the engine has died: {why}")
            self._changed.notify_all()

    def _end_all(self, why: str) -> None:
        """What runs and what waits, where no step follows."""
        self._admit(len(self._rows) + len(self._waiting))
        rows, self._rows = self._rows, []
        self.counters.failed += len(rows)
        for row in rows:
            row.request.on_end(row.completion("error", why))


def _dead(why: str) -> ServeError:
    return ServeError("SERVE_FAILED", f"Cannot ask the engine: it has died ({why}). Start the server again")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
