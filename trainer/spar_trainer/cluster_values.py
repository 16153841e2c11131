"""The cluster's values on the bus: MessagePack maps with a schema version, as src/cluster/codec.ts writes and reads them."""

from __future__ import annotations

from typing import Any

import msgpack

SCHEMA = 1


class ClusterValueError(Exception):
    """A value that cannot be read, by its `code`: CLUSTER_CORRUPT, CLUSTER_SCHEMA_NEWER."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def pack(value: dict[str, Any]) -> bytes:
    packed: bytes = msgpack.packb({"schema_version": SCHEMA, **value})
    return packed


def unpack(data: bytes, what: str) -> dict[str, Any]:
    """Raises ClusterValueError, which names `what`, and nothing else, whatever the bytes are."""
    try:
        value = msgpack.unpackb(data)
    except Exception as error:  # What a damaged value raises is of many kinds.
        raise ClusterValueError("CLUSTER_CORRUPT", f"Cannot read {what}: {error or type(error).__name__}") from error
    version = value.get("schema_version") if isinstance(value, dict) else None
    if not isinstance(version, (int, float)) or isinstance(version, bool):
        raise ClusterValueError("CLUSTER_CORRUPT", f"Cannot read {what}: it has no schema version")
    if version > SCHEMA:
        raise ClusterValueError(
            "CLUSTER_SCHEMA_NEWER", f"Cannot read {what}: it was written by a newer version (schema {version}, this trainer reads {SCHEMA}). Update this trainer",
        )
    return value
