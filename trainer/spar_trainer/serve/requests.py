"""A request on its way through the engine, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .sampling import Sampling


@dataclass(frozen=True)
class VersionRun:
    """So many tokens in a row that the same weights drew."""

    version: str
    tokens: int


@dataclass(frozen=True)
class Completion:
    """`finish_reason`: stop, length, or error. `version` is that of the weights which began it; `stop_string` the one it ended with."""

    token_ids: list[int]
    logprobs: list[float]
    finish_reason: str
    version: str
    versions: list[VersionRun]
    cached_tokens: int
    stop_string: str | None
    matched_token: int | None
    error: str | None = None


@dataclass(eq=False)
class Request:
    """`prompt`: at least one token. `on_end` is called once, from the engine's thread."""

    prompt: list[int]
    max_tokens: int
    sampling: Sampling
    end_tokens: frozenset[int]
    stops: tuple[str, ...]
    decode: Callable[[list[int]], str]
    on_end: Callable[[Completion], None]
    is_cancelled: bool = False


@dataclass(eq=False)
class Row:
    """A request that runs. `tokens` are prompt and completion; keys and values of the first `computed` are in the row."""

    request: Request
    index: int
    version: str
    generation: int
    tokens: list[int]
    computed: int = 0
    cached: int = 0
    has_looked: bool = False
    logprobs: list[float] = field(default_factory=list)
    versions: list[VersionRun] = field(default_factory=list)
    stop_string: str | None = None
    matched_token: int | None = None
    _prompt: np.ndarray | None = None

    @property
    def drawn(self) -> int:
        return len(self.logprobs)

    @property
    def is_decoding(self) -> bool:
        return self.computed == len(self.tokens) - 1 and self.drawn > 0

    def add(self, token: int, logprob: float, version: str) -> None:
        self.tokens.append(token)
        self.logprobs.append(logprob)
        if self.versions and self.versions[-1].version == version:
            self.versions[-1] = VersionRun(version, self.versions[-1].tokens + 1)
        else:
            self.versions.append(VersionRun(version, 1))

    def finish_reason(self) -> str | None:
        """After a token was added: why the completion is over, or None."""
        if self.tokens[-1] in self.request.end_tokens:
            self.matched_token = self.tokens[-1]
            return "stop"
        self.stop_string = self._find_stop()
        if self.stop_string is not None:
            return "stop"
        return "length" if self.drawn >= self.request.max_tokens else None

    def _find_stop(self) -> str | None:
        stops = self.request.stops
        if not stops:
            return None
        # A character is at most four tokens of bytes; some more for tokens that have no text.
        window = 4 * max(len(stop) for stop in stops) + 16
        tail = self.request.decode(self.tokens[-min(window, self.drawn) :])
        return next((stop for stop in stops if stop in tail), None)

    def completion(self, finish_reason: str, error: str | None = None) -> Completion:
        token_ids = self.tokens[len(self.request.prompt) :]
        return Completion(token_ids, self.logprobs, finish_reason, self.version, self.versions, self.cached, self.stop_string, self.matched_token, error)

    def prompt(self, tokens: int | None = None) -> np.ndarray:
        """Its first tokens, or all of it."""
        if self._prompt is None:
            self._prompt = np.asarray(self.request.prompt, dtype=np.int32)
        return self._prompt[:tokens]

    def known(self) -> np.ndarray:
        """The tokens whose keys and values are in the row."""
        return np.asarray(self.tokens[: self.computed], dtype=np.int32)
