"""A digest of the code that judges replies, so that a score can say by which code it was given.

Conventions
-----------
* Covered are ``benchgen.answers`` and every module of this package that it imports at its top,
  and that these do. Which they are is read from their source, not listed.
* Comments, docstrings and layout do not count: code that does the same as before has the same
  digest, under every version of Python that we run on.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

SCORER = "answers"
_PACKAGE = "benchgen"


@cache
def scoring_digest() -> str:
    """The digest: SHA-256, in 64 hexadecimal digits."""
    state = hashlib.sha256()
    for name, tree in sorted(_reached().items()):
        state.update(f"{name} {code_text(tree)}\n".encode())
    return state.hexdigest()


def code_text(node: ast.AST) -> str:
    """A tree of code in one line, without docstrings and what is absent.

    Fields that hold nothing are left out: newer versions of Python have more of these.
    """
    parts = []
    for name, value in ast.iter_fields(node):
        if name in ("body", "orelse", "finalbody") and isinstance(value, list):
            value = [one for one in value if not _is_words(one)]
        # In a list, nothing holds a place: {**a, "k": b} has a key that is none.
        items = value if isinstance(value, list) else [] if value is None else [value]
        texts = [code_text(i) if isinstance(i, ast.AST) else repr(i) for i in items]
        if texts:
            parts.append(f"{name}=[{','.join(texts)}]")
    return f"{type(node).__name__}({','.join(parts)})"


def _is_words(statement: object) -> bool:
    """A docstring, of a module, a function or a constant."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _reached() -> dict[str, ast.Module]:
    found: dict[str, ast.Module] = {}
    waiting = [SCORER]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        source = files(_PACKAGE).joinpath(f"{name.replace('.', '/')}.py")
        found[name] = ast.parse(source.read_text(encoding="utf-8"))
        waiting += _imported(found[name])
    return found


def _imported(tree: ast.Module) -> Iterator[str]:
    """The modules of this package that a module imports at its top."""
    prefix = f"{_PACKAGE}."
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(prefix):
            yield (node.module or "").removeprefix(prefix)
        elif isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            yield from (name.removeprefix(prefix) for name in names if name.startswith(prefix))
