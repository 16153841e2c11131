"""How a call ends: gRPC's status codes, and the error that carries one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

Metadata = Mapping[str, str | bytes]


class Code(IntEnum):
    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class BridgeError(Exception):
    """A call ended with something else than OK. `metadata` are the trailers."""

    def __init__(self, code: Code, text: str, metadata: Metadata | None = None) -> None:
        super().__init__(f"{code.name}: {text}")
        self.code = code
        self.text = text
        self.metadata: Metadata = metadata or {}
