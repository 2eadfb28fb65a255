"""Files that appear whole or not at all.

A file is written under a name of its own beside its place, forced to the disk
and then renamed, so that a reader (or a run that takes over after a crash) sees
either nothing or all of it. Names under way end in ``.tmp``; each writer has its
own, so that two writers of the same file cannot spoil each other's.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` by temporary file, fsync, rename, fsync of the folder.

    Raises
    ------
    OSError
        The disk is full, the folder is not there or not writable; ``path`` is
        then as it was before.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _put(temporary, path, data)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _put(temporary: Path, path: Path, data: bytes) -> None:
    try:
        temporary.replace(path)
    except FileNotFoundError:
        # Another run that wrote the same bytes may have swept ours away as a leftover.
        if not path.exists() or path.read_bytes() != data:
            raise


def sync_folder(folder: Path) -> None:
    """Force the folder's entries (a rename, say) to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, prefix: str) -> None:
    """Remove what writers that were killed left behind in ``folder``.

    Only names that ``write_whole`` could have given to a file that begins with
    ``prefix`` are touched. Call it when every such file is in its place: a writer of
    other bytes still under way would fail.
    """
    for leftover in folder.glob(f"{prefix}*.tmp"):
        leftover.unlink(missing_ok=True)
