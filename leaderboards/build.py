"""Writing a board: a folder that is a whole site, and opens from the disk.

::

    SITE/
      index.html              the page, written last
      board.json, board.csv   its figures
      records/KEY.json        each run's record (``record.py``): what the board can be made of again
      every_eval_ever/KEY.json  the same in that layout
      runs/KEY.html           the samples of the runs that have a report
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from benchgen import __version__
from benchgen.errors import InputError
from benchgen.files import remove_leftovers, write_whole
from leaderboards.board import Board
from leaderboards.downloads import board_csv, board_record
from leaderboards.every_eval_ever import every_eval_ever
from leaderboards.page import board_html
from leaderboards.records import PAGES, RECORDS, Source

PAGE = "index.html"
FOLDERS = {RECORDS: ".json", "every_eval_ever": ".json", PAGES: ".html"}
_OURS = re.compile(r"[a-z0-9-]+-[0-9a-f]{8}")
"""Of a site that is made anew, files of these folders are removed that have such names and are
not of this board."""


def write_board(board: Board, sources: Sequence[Source], out: Path) -> Path:
    """Write the site of ``board``, made of ``sources``, into ``out``; return the page's path.

    Each file appears whole or not at all, the page last. Of an earlier board in ``out`` nothing
    is left then.

    Raises
    ------
    InputError
        A report cannot be read, or the folder cannot be made or written.
    """
    record = board_record(board, __version__)
    anew = (out / "board.json").is_file()
    kept = {Path(source.place).resolve() for source in sources}
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = set()
        for source in sources:
            for name, data in _files(source).items():
                (out / name).parent.mkdir(exist_ok=True)
                write_whole(out / name, data)
                written.add(name)
        contents = {
            "board.json": json.dumps(record, allow_nan=False) + "\n",
            "board.csv": board_csv(board),
            PAGE: board_html(board.title, record, __version__),
        }
        for name, text in contents.items():
            write_whole(out / name, text.encode("utf-8", "replace"))
            remove_leftovers(out, name)
        if anew:
            _remove_others(out, written, kept)
    except OSError as error:
        raise InputError(f"cannot write the board into {out}: {error}") from None
    return out / PAGE


def _files(source: Source) -> dict[str, bytes]:
    neutral = every_eval_ever(source.record, source.key)
    files = {
        f"{RECORDS}/{source.key}.json": source.text.encode(),
        f"every_eval_ever/{source.key}.json": f"{json.dumps(neutral)}\n".encode(),
    }
    if source.report is not None:
        files[f"{PAGES}/{source.key}.html"] = source.report.read_bytes()
    return files


def _remove_others(out: Path, written: set[str], kept: set[Path]) -> None:
    """Remove what an earlier board wrote; never what this one was made of."""
    for folder, ending in FOLDERS.items():
        for path in (out / folder).glob(f"*{ending}"):
            ours = _OURS.fullmatch(path.name.removesuffix(ending)) is not None
            if ours and f"{folder}/{path.name}" not in written and path.resolve() not in kept:
                path.unlink()
