"""The page of a board as one HTML document that needs nothing else.

Conventions
-----------
* Names, settings and every other text that comes from a run are untrusted: they
  are escaped (``cells.text``), and the script writes them as text only. A policy
  in the page admits the one script by its digest and no request at all, so that what
  slipped through would stay inert.
* The rows stand whole in the document; the script adds sorting, finding and the
  panels of details, out of the JSON that the page carries.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from string import Template
from typing import Any

from leaderboards.board import Board
from leaderboards.cells import text
from leaderboards.table import group_html, has_twins

BLIND_NOTE = """<dt>Best blind predictor</dt>
    <dd>The best of the audit’s predictors, which see the question and the options and never
    the problem itself. What it earns is what can be guessed.</dd>"""
TWINS_NOTE = """<dt>All twins</dt>
    <dd>The share of twin groups in which every twin is answered rightly. Twins have the same
    question and options, and differ in content and key: guessing hardly ever gets a whole
    group.</dd>"""


def board_html(board: Board, record: Mapping[str, Any], version: str) -> str:
    """The page; ``record`` is the board as JSON (``record.board_record``)."""
    script = _asset("board.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    blind = any(group.blind is not None for group in board.groups)
    twins = any(has_twins(group) for group in board.groups)
    return Template(_asset("index.html")).substitute(
        title=text(board.title),
        style=_asset("style.css").strip(),
        script=script,
        script_digest=f"sha256-{digest}",
        groups="\n".join(group_html(group, place) for place, group in enumerate(board.groups)),
        blind_note=BLIND_NOTE if blind else "",
        twins_note=TWINS_NOTE if twins else "",
        data=json_for_script(record),
        version=text(version),
    )


def json_for_script(record: Mapping[str, Any]) -> str:
    """JSON that can stand inside a script element: nothing in it can end the element."""
    packed = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return packed.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return files("leaderboards").joinpath("site", name).read_text(encoding="utf-8")
