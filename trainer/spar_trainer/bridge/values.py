"""What messages hold, as MessagePack: NumPy arrays become `{dtype, shape, data}`, and maps of that form arrays."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np

from .arrays import from_wire, is_wire_array, to_wire
from .status import BridgeError, Code


def pack(value: Any) -> bytes:
    """Raises TypeError, ValueError or OverflowError for what MessagePack or the wire's arrays do not have."""
    packed: bytes = msgpack.packb(value, default=_default)
    return packed


def unpack(data: bytes | memoryview) -> Any:
    """Raises INTERNAL for what cannot be read."""
    try:
        return msgpack.unpackb(data, object_hook=_object_hook, ext_hook=_ext_hook)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BridgeError(Code.INTERNAL, f"Cannot read a message: {error}") from error


def _default(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return to_wire(value)
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return value.item()
    raise TypeError(f"Cannot send a {type(value).__name__}: MessagePack has no such type")


def _object_hook(value: dict[Any, Any]) -> Any:
    return from_wire(value) if is_wire_array(value) else value


def _ext_hook(code: int, data: bytes) -> Any:
    raise ValueError(f"extension {code} is not of the wire")
