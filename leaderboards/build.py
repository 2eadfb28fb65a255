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
from collections.abc import Sequence
from pathlib import Path

from benchgen import __version__
from benchgen.errors import InputError
from benchgen.files import remove_leftovers, write_whole
from leaderboards.board import Board
from leaderboards.downloads import board_csv, board_record
from leaderboards.every_eval_ever import every_eval_ever
from leaderboards.page import board_html
from leaderboards.records import Source

PAGE = "index.html"
FOLDERS = {"records": ".json", "every_eval_ever": ".json", "runs": ".html"}
"""What is in a site's folders belongs to the board: what is not of this one is removed."""


def write_board(board: Board, sources: Sequence[Source], out: Path) -> Path:
    """Write the site of ``board``, made of ``sources``, into ``out``; return the page's path.

    Each file appears whole or not at all, the page last. Of an earlier board in ``out`` nothing
    is left.

    Raises
    ------
    InputError
        A report cannot be read, or the folder cannot be made or written.
    """
    record = board_record(board, __version__)
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = set()
        for source in sources:
            for name, data in _files(source).items():
                (out / name).parent.mkdir(exist_ok=True)
                write_whole(out / name, data)
                written.add(name)
        _remove_others(out, written)
        contents = {
            "board.json": json.dumps(record, allow_nan=False) + "\n",
            "board.csv": board_csv(board),
            PAGE: board_html(board.title, record, __version__),
        }
        for name, text in contents.items():
            write_whole(out / name, text.encode("utf-8", "replace"))
            remove_leftovers(out, name)
    except OSError as error:
        raise InputError(f"cannot write the board into {out}: {error}") from None
    return out / PAGE


def _files(source: Source) -> dict[str, bytes]:
    neutral = every_eval_ever(source.record, source.key)
    files = {
        f"records/{source.key}.json": source.text.encode(),
        f"every_eval_ever/{source.key}.json": f"{json.dumps(neutral)}\n".encode(),
    }
    if source.report is not None:
        files[f"runs/{source.key}.html"] = source.report.read_bytes()
    return files


def _remove_others(out: Path, written: set[str]) -> None:
    for folder, ending in FOLDERS.items():
        for path in (out / folder).glob(f"*{ending}*"):
            if f"{folder}/{path.name}" not in written:
                path.unlink()
