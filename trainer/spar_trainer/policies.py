"""Which weights of a model are served, told to every node and read back: the bucket that `spar policy` writes and lists.

Nodes name the version with every turn that they play from then on (src/cluster/policy-versions.ts). Announce a version when the
inference servers have loaded its weights.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from .cluster_values import ClusterValueError, pack, unpack

VERSION_CHARACTERS_MAX = 200
ANSWER_SECONDS = 5.0
"""Of one question to the server."""


@dataclass(frozen=True)
class ServedPolicy:
    model: str
    version: str
    at: float
    """Milliseconds since 1970."""


async def announce(nc: Client, prefix: str, model: str, version: str, at: float | None = None) -> ServedPolicy:
    """`at`: milliseconds since 1970, now where it is not given. Raises ValueError for a version that nodes would not take.

    Resolves when the server has kept it; raises what nats-py does when it has not. To announce the same again is safe.
    """
    if model == "":
        raise ValueError("Cannot announce a version of a model without a name")
    if version.strip() == "" or len(version) > VERSION_CHARACTERS_MAX or re.search(r"[\x00-\x1f\x7f]", version):
        raise ValueError(f"Cannot announce the version {version[:80]!r}: it takes a name of at most {VERSION_CHARACTERS_MAX} characters on one line")
    policy = ServedPolicy(model, version.strip(), time.time_ns() // 1_000_000 if at is None else at)
    value = pack({"model": policy.model, "version": policy.version, "at": policy.at})
    await nc.jetstream(timeout=ANSWER_SECONDS).publish(f"{_subjects(prefix)}{_key(model)}", value)
    return policy


async def served(nc: Client, prefix: str) -> dict[str, ServedPolicy]:
    """What was announced last, by model. Raises ClusterValueError for what cannot be read, and what nats-py does."""
    js = nc.jetstream(timeout=ANSWER_SECONDS)
    stream = f"KV_{prefix}_policies"
    subjects = (await js.stream_info(stream, subjects_filter=f"{_subjects(prefix)}>")).state.subjects or {}
    found: dict[str, ServedPolicy] = {}
    for subject in sorted(subjects):
        try:
            last = await js.get_last_msg(stream, subject)
        except NotFoundError:
            continue  # Removed since.
        if last.headers is None or "KV-Operation" not in last.headers:
            policy = _read(last.data or b"", subject.removeprefix(_subjects(prefix)))
            found[policy.model] = policy
    return found


def _read(data: bytes, key: str) -> ServedPolicy:
    value = unpack(data, f"the policy {key}")
    model, version, at = value.get("model"), value.get("version"), value.get("at")
    if not isinstance(model, str) or not isinstance(version, str) or not isinstance(at, (int, float)):
        raise ClusterValueError("CLUSTER_CORRUPT", f"Cannot read the policy {key}: it lacks model, version or at")
    return ServedPolicy(model, version, at)


def _subjects(prefix: str) -> str:
    return f"$KV.{prefix}_policies."


def _key(model: str) -> str:
    """Names of models take any character, keys do not."""
    return hashlib.sha256(model.encode()).hexdigest()[:32]
