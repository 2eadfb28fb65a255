"""Writing a board: the page and the same figures as JSON and CSV, in one folder."""

from __future__ import annotations

import json
from pathlib import Path

from benchgen import __version__
from benchgen.errors import InputError
from benchgen.files import write_whole
from leaderboards.board import Board
from leaderboards.page import board_html
from leaderboards.record import board_csv, board_record

PAGE = "index.html"


def write_board(board: Board, out: Path) -> Path:
    """Write ``index.html``, ``board.json`` and ``board.csv`` into ``out``; return the page's path.

    Each file appears whole or not at all, the page last.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    record = board_record(board, __version__)
    contents = {
        "board.json": json.dumps(record, indent=1, allow_nan=False) + "\n",
        "board.csv": board_csv(board),
        PAGE: board_html(board, record, __version__),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            write_whole(out / name, text.encode("utf-8", "replace"))
    except OSError as error:
        raise InputError(f"cannot write the board into {out}: {error}") from None
    return out / PAGE
