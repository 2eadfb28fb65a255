"""The page of a board as one HTML document that needs nothing else.

Conventions
-----------
* The page holds the board's JSON, and its script draws the tables and charts in the
  browser. Without the script a plain table remains (``plain.plain_html``).
* Every text that comes from a run is untrusted: the script writes it as text only. A
  policy in the page admits the one script by its digest and no request at all, so that
  what slipped through would stay inert.
* The script is one, in a function of its own so that it leaves no globals, put together
  from the files of ``site/`` in the order of ``SCRIPTS``: later files use earlier ones.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from string import Template
from typing import Any

from leaderboards.cells import text
from leaderboards.plain import plain_html

SCRIPTS = (
    "dom.js",
    "data.js",
    "state.js",
    "theme.js",
    "cells.js",
    "table.js",
    "scores.js",
    "matrix.js",
    "overall.js",
    "details.js",
    "axes.js",
    "scatter.js",
    "frontier.js",
    "lines.js",
    "history.js",
    "gaps.js",
    "views.js",
    "notes.js",
    "main.js",
)
STYLES = ("style.css", "table.css", "chart.css", "narrow.css")


def board_html(title: str, record: Mapping[str, Any], version: str) -> str:
    """The page; ``record`` is the board as JSON."""
    script = f'\n"use strict";\n(() => {{\n{_assets(SCRIPTS)}}})();\n'
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return Template(_assets(("index.html",))).substitute(
        title=text(title),
        style=_assets(STYLES).strip(),
        script=script,
        script_digest=f"sha256-{digest}",
        plain=plain_html(record),
        data=json_for_script(record),
        version=text(version),
    )


def json_for_script(record: Mapping[str, Any]) -> str:
    """JSON that can stand inside a script element: nothing in it can end the element."""
    packed = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return packed.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _assets(names: Iterable[str]) -> str:
    site = files("leaderboards").joinpath("site")
    return "".join(site.joinpath(name).read_text(encoding="utf-8") for name in names)
