"""The limits of the bridge, by name. Those that stand in docs/bridge.md have the same defaults there."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class BridgeLimits:
    window: int = 8 * MIB
    """Bytes of messages that a peer may send before they were read."""
    calls_max: int = 1_000
    """Calls under way at a server; above it a call is refused."""
    keep_alive: float = 10.0
    """Seconds without a frame of a call before the other side is asked whether it is there."""
    metadata_bytes_max: int = 8 * 1024
    object_bytes_max: int = 1024 * MIB
    """Of one message that travels by reference."""
    object_seconds: float = 60.0
    """An object that a message lies in is removed by its writer after so long, where its reader has not."""
    overhead_bytes: int = 16 * 1024
    """Of a NATS message, what everything but the value of a frame may take."""
    abort_seconds: float = 5.0
    """How long a server that closes waits for handlers that it has cancelled."""
    watch: float = 0.1
    """Seconds between two looks at the connection and at who is silent."""
    accept_after: float = 0.1
    """Seconds after which a unary call that is not answered is accepted, so that its client knows where to cancel it."""


LIMITS = BridgeLimits()


@dataclass(frozen=True)
class ArrayLimits:
    dimensions_max: int = 8
    items_max: int = 64_000_000


ARRAY_LIMITS = ArrayLimits()
