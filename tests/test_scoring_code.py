from __future__ import annotations

import ast
import subprocess
import sys

from benchgen import scoring_code
from benchgen.scoring_code import code_text, scoring_digest


def test_a_comment_or_a_docstring_changes_no_score() -> None:
    plain = "def f(x):\n    if x:\n        return x + 1\n    return f'{x}!'\n"
    told = '"""What it is."""\ndef f( x ):  # adds one\n    """It adds."""\n' + plain[10:]
    assert code_text(ast.parse(told)) == code_text(ast.parse(plain))


def test_a_change_of_the_code_shows() -> None:
    before = code_text(ast.parse("def f(x):\n    return x + 1\n"))
    for changed in ("def f(x):\n    return x - 1\n", "def f(x, y=2):\n    return x + 1\n",
                    "def f(x):\n    return x + 2\n", "def g(x):\n    return x + 1\n"):  # fmt: skip
        assert code_text(ast.parse(changed)) != before


def test_what_holds_a_place_by_being_nothing_counts() -> None:
    for one, other in (
        ("{**a, 'k': b}", "{'k': a, **b}"),
        ("def f(*, a=1, b): pass", "def f(*, a, b=1): pass"),
    ):
        assert code_text(ast.parse(one)) != code_text(ast.parse(other))


def test_all_that_judges_is_covered_and_nothing_that_draws() -> None:
    reached = set(scoring_code._reached())
    assert {"answers", "doubts", "problem"} <= reached
    assert not {name for name in reached if "." in name or name in ("suite", "prompt")}


def test_two_processes_agree() -> None:
    code = "from benchgen.scoring_code import scoring_digest; print(scoring_digest())"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert found == scoring_digest() and len(found) == 64
