"""The samples of a run folder of `spar play`, finished or growing: `samples.jsonl` and `trajectories/*.msgpack` (docs/records.md).

The file of samples grows by lines while the run goes on and is replaced as a whole when it ends, so a sample is known by its id and
not by its place. A last line without its end is left for later: it is being written, or a crash tore it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from ..errors import TrainerError
from .types import RawSample


class FolderSource:
    """Gives every sample once, but those in `known` (what a checkpoint has consumed) not at all.

    With `follow` it waits for what the run still settles, and is over when `summary.json` is there; without, at the end of what
    there is. A line that is no JSON is given too, for `read_sample` to refuse. Raises TrainerError FOLDER_NO_RUN.
    """

    def __init__(
        self, path: Path | str, *, known: Iterable[str] = (), follow: bool = True, poll_s: float = 0.2,
        line_bytes_max: int = 2**20, record_bytes_max: int = 1024 * 2**20,
    ) -> None:
        self._path = Path(path)
        self.run = _run_of(self._path)
        self._given = set(known)
        self._follow = follow
        self._poll_s = poll_s
        self._line_bytes_max = line_bytes_max
        self._record_bytes_max = record_bytes_max
        self._file: BinaryIO | None = None
        self._is_over = False

    async def take(self, most: int, wait_s: float) -> list[RawSample]:
        until = asyncio.get_running_loop().time() + wait_s
        while not self._is_over:
            found = await asyncio.to_thread(self._read, most)
            left = until - asyncio.get_running_loop().time()
            if found or left <= 0:
                return found
            await asyncio.sleep(min(self._poll_s, left))
        return []

    async def acknowledge(self, ids: Sequence[str]) -> None:
        """A folder keeps everything: what was used is for a checkpoint to say, as `known`."""

    @property
    def is_over(self) -> bool:
        return self._is_over

    async def close(self) -> None:
        self._is_over = True
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, most: int) -> list[RawSample]:
        """Whether the run is over is asked first: its samples may be complete only after the look at them."""
        was_over = not self._follow or (self._path / "summary.json").exists()
        found: list[RawSample] = []
        while len(found) < most:
            line = self._next_line()
            if line is None:
                self._is_over = was_over
                break
            sample = self._sample(line)
            if sample.id not in self._given:
                self._given.add(sample.id)
                found.append(sample)
        return found

    def _next_line(self) -> bytes | None:
        """None: there is no further whole line."""
        while True:
            if self._file is None and not self._open():
                return None
            line = self._whole_line()
            if line is not None or not self._is_replaced():
                return line
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        try:
            self._file = (self._path / "samples.jsonl").open("rb")
        except FileNotFoundError:
            return False
        return True

    def _is_replaced(self) -> bool:
        try:
            now = os.stat(self._path / "samples.jsonl")
        except FileNotFoundError:
            return False
        opened = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino)

    def _whole_line(self) -> bytes | None:
        """What is longer than the limit is cut there, so that it is no JSON."""
        start = self._file.tell()
        line = part = self._file.readline(self._line_bytes_max)
        while part and not part.endswith(b"\n"):
            part = self._file.readline(self._line_bytes_max)
        if part:
            return line
        self._file.seek(start)
        return None

    def _sample(self, line: bytes) -> RawSample:
        settled = _parse(line)
        rollout = settled.get("rollout_id") if settled is not None else None
        if settled is None or not isinstance(rollout, str):
            shown = line[:80].decode(errors="replace")
            return RawSample(f"{self.run}.{shown}", {}, None, f"a line of samples.jsonl is no settled rollout of at most {self._line_bytes_max} bytes: {shown!r}")
        record, fault = self._record(settled)
        return RawSample(f"{self.run}.{rollout}", settled, record, fault)

    def _record(self, settled: dict[str, Any]) -> tuple[bytes | None, str | None]:
        place = settled.get("trajectory")
        if not isinstance(place, str) or PurePosixPath(place).is_absolute() or ".." in PurePosixPath(place).parts:
            return None, f"its trajectory {place!r:.200} is no path within the run's folder"
        try:
            path = self._path / place
            if path.stat().st_size > self._record_bytes_max:
                return None, f"its record has more than {self._record_bytes_max} bytes (record_bytes_max)"
            return path.read_bytes(), None
        except FileNotFoundError:
            return None, f"there is no record {place!r:.200}"
        except (OSError, ValueError) as error:
            return None, f"its record {place!r:.200} cannot be read: {error}"


def _run_of(path: Path) -> str:
    try:
        run = json.loads((path / "run.json").read_bytes()).get("run")
    except (OSError, ValueError, AttributeError) as error:
        raise TrainerError("FOLDER_NO_RUN", f'Cannot read the run folder "{path}": its run.json: {error}. Give the folder that "spar play --out" wrote') from error
    if not isinstance(run, str) or not run:
        raise TrainerError("FOLDER_NO_RUN", f'Cannot read the run folder "{path}": its run.json does not name a run')
    return run


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
