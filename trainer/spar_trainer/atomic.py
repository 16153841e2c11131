"""Folders and files that are there whole or not at all: written beside, forced to the disk, renamed.

A manifest says the length and the hash of every file of a folder, so that one that a crash or a disk left behind broken is known.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

MANIFEST = "manifest.json"
BESIDE = ".writing-"
"""Names of what is being written begin so; a crash leaves them, `clear` removes them."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
CHUNK_BYTES = 2**22


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """`fill` writes into an empty folder, which then takes the place of `folder`. Nothing is left of one that fails."""
    beside = folder.with_name(BESIDE + folder.name)
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        fill(beside)
        files = sorted(file for file in beside.rglob("*") if file.is_file())
        write_durably(beside / MANIFEST, json.dumps({str(file.relative_to(beside)): describe(file) for file in files}, indent=1).encode())
        for inner in [beside, *(one for one in beside.rglob("*") if one.is_dir())]:
            sync(inner)
        replace_folder(beside, folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    sync(folder.parent)


def replace_folder(beside: Path, folder: Path) -> None:
    """A folder cannot be renamed over one that has files: the old one steps aside first."""
    if folder.exists():
        aside = folder.with_name(f"{BESIDE}old-{folder.name}")
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(folder, aside)
        os.rename(beside, folder)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        os.rename(beside, folder)


def write_durably(file: Path, data: bytes) -> None:
    with file.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def write_file(file: Path, data: bytes) -> None:
    """In the place of what is there."""
    beside = file.with_name(BESIDE + file.name)
    write_durably(beside, data)
    os.replace(beside, file)
    sync(file.parent)


def describe(file: Path) -> dict[str, object]:
    """Its length and hash; what was written of it is on the disk then."""
    digest = hashlib.sha256()
    with file.open("rb") as data:
        os.fsync(data.fileno())
        while part := data.read(CHUNK_BYTES):
            digest.update(part)
    return {"bytes": file.stat().st_size, "sha256": digest.hexdigest()}


def fault(folder: Path) -> str | None:
    """What is wrong with a folder that `write_folder` made, or None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        for name, expected in manifest.items():
            if describe(folder / name) != expected:
                return f"{name} is not what was written"
    except (OSError, ValueError, AttributeError) as error:
        return f"{error}"
    return None


def clear(folder: Path) -> None:
    """What a crash left half written in it."""
    for beside in folder.glob(f"{BESIDE}*"):
        shutil.rmtree(beside, ignore_errors=True) if beside.is_dir() else beside.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_full(error: BaseException) -> bool:
    """Whether a disk, a quota or a limit of a file's size stopped a write. Writers in other languages only tell it as text."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    return any(f"os error {number}" in str(error) for number in FULL)
