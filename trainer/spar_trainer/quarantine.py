"""Samples that were refused, kept for whoever wants to know why: one file each, `<out>/quarantine/<id>.json`.

Written again when a sample comes again, so a restart leaves no second file. Ids come from outside: only harmless characters of them
are in a file's name. What is kept of a record is bounded, and so is the number of files; the count is in the metrics.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

from .records import Refusal
from .sources.types import RawSample

RECORD_BYTES_MAX = 64 * 1024
LINE_CHARACTERS_MAX = 16 * 1024


class Quarantine:
    def __init__(self, folder: Path, files_max: int) -> None:
        self._folder = folder
        self._files_max = files_max
        self._files = sum(1 for _ in folder.glob("*.json")) if folder.is_dir() else 0

    def keep(self, raw: RawSample, refusal: Refusal) -> None:
        """Nothing that goes wrong here may stop training: a full disk keeps no quarantine."""
        file = self._folder / f"{file_name(raw.id)}.json"
        try:
            if not file.exists():
                if self._files >= self._files_max:
                    return
                self._files += 1
            self._folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(entry(raw, refusal), ensure_ascii=True) + "\n", "utf-8")
        except OSError:
            return


def file_name(id: str) -> str:
    """Readable where the id is harmless; always with a hash of the whole id, so that no two share a file."""
    digest = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', id)[:80]}-{digest}"


def entry(raw: RawSample, refusal: Refusal) -> dict[str, object]:
    record = raw.record or b""
    return {
        "id": raw.id, "code": refusal.code, "reason": refusal.reason, "role": refusal.role, "group_id": refusal.group_id, "fault": raw.fault,
        "settled": json.dumps(raw.settled, default=repr)[:LINE_CHARACTERS_MAX],
        "record_bytes": len(record), "record": base64.b64encode(record[:RECORD_BYTES_MAX]).decode("ascii"),
    }
