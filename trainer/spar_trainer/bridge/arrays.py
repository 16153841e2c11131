"""Arrays of numbers on the wire: `{dtype, shape, data}`, little-endian, row after row.

Reading makes a read-only view of the bytes, writing copies only what is big-endian or not contiguous.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .limits import ARRAY_LIMITS, ArrayLimits

DTYPES = ("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8")
KEYS = frozenset(("dtype", "shape", "data"))


def to_wire(array: np.ndarray) -> dict[str, Any]:
    """Raises ValueError for an array of anything but numbers of the wire's types."""
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    if little.dtype.str not in DTYPES:
        raise ValueError(f"Cannot send an array of dtype {array.dtype.str}: the wire has {' '.join(DTYPES)}")
    return {"dtype": little.dtype.str, "shape": list(array.shape), "data": little.tobytes() if little.size == 0 else little.data.cast("B")}


def from_wire(value: dict[str, Any], limits: ArrayLimits = ARRAY_LIMITS) -> np.ndarray:
    """Raises ValueError when dtype, shape and data do not fit each other or the limits."""
    dtype, shape, data = value["dtype"], value["shape"], value["data"]
    if dtype not in DTYPES:
        raise ValueError(f"Cannot use an array: its dtype {dtype!r:.100} is none of {' '.join(DTYPES)}")
    if not isinstance(shape, list) or not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"Cannot use an array: its shape {shape!r:.100} is no list of lengths")
    if len(shape) > limits.dimensions_max:
        raise ValueError(f"Cannot use an array: it has more than {limits.dimensions_max} dimensions (dimensions_max)")
    if not isinstance(data, bytes):
        raise ValueError("Cannot use an array: its data are no bytes")
    items = math.prod(shape)
    if items > limits.items_max:
        raise ValueError(f"Cannot use an array: it has more than {limits.items_max} items (items_max)")
    if items * np.dtype(dtype).itemsize != len(data):
        raise ValueError(f"Cannot use an array: {len(data)} bytes do not have the shape {shape!r:.100} of {dtype}")
    return np.frombuffer(data, dtype).reshape(shape)


def is_wire_array(value: dict[Any, Any]) -> bool:
    return value.keys() == KEYS
