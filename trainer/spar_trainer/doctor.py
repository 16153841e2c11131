"""What this machine offers to a trainer, and what follows from it."""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

DISK_GIB_MIN = 5
ANSWER_SECONDS = 3.0


@dataclass(frozen=True)
class Finding:
    what: str
    said: str
    is_well: bool = True

    @property
    def mark(self) -> str:
        return "ok" if self.is_well else "--"


def examine(out: Path, nats: str | None) -> list[Finding]:
    findings = [python(), packages(), devices(), disk(out)]
    return findings if nats is None else [*findings, asyncio.run(server(nats))]


def python() -> Finding:
    toml = "" if sys.version_info >= (3, 11) else "; --config needs 3.11"
    return Finding("Python", f"{platform.python_version()}{toml}")


def packages() -> Finding:
    import peft
    import torch
    import transformers

    return Finding("packages", f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")


def devices() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("devices", f"no GPU, {torch.get_num_threads()} threads of the processor: small models only")
    names = [f"{one.name}, {one.total_memory / 2**30:.0f} GiB" for one in map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))]
    bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16: use --dtype fp32"
    ranks = f"; torchrun --nproc-per-node {len(names)} uses all" if len(names) > 1 else ""
    return Finding("devices", f"{'; '.join(names)}; {bf16}{ranks}", torch.cuda.is_bf16_supported())


def disk(out: Path) -> Finding:
    """A checkpoint takes 12 bytes for each weight that is trained: the weight and two moments, fp32."""
    place = next(one for one in (out.absolute(), *out.absolute().parents) if one.exists())
    free = shutil.disk_usage(place).free / 2**30
    return Finding("disk", f"{free:.0f} GiB free at {place}; a checkpoint takes 12 bytes a trained weight", free >= DISK_GIB_MIN)


async def server(address: str) -> Finding:
    import nats

    async def ignore(_: Exception) -> None:
        """What is wrong is told below."""

    try:
        connection = await asyncio.wait_for(nats.connect(address, max_reconnect_attempts=1, error_cb=ignore), ANSWER_SECONDS)
        version = connection.connected_server_version
        await connection.close()
    except Exception as error:
        return Finding("NATS", f"{address} does not answer: {error!r}", False)
    return Finding("NATS", f"{address} answers, version {version}")
