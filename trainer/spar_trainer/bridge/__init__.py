"""The bridge: calls and streams over NATS, with gRPC's semantics. docs/bridge.md says how they look on the wire."""

from .client import Answer, BridgeClient, ClientCall
from .frames import CallKind
from .limits import LIMITS, BridgeLimits
from .objects import ObjectBucket
from .server import BridgeServer, Context
from .status import BridgeError, Code, Metadata

__all__ = [
    "LIMITS", "Answer", "BridgeClient", "BridgeError", "BridgeLimits", "BridgeServer", "CallKind", "ClientCall", "Code", "Context",
    "Metadata", "ObjectBucket",
]
