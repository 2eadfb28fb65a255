"""Work that makes no cyclic garbage, done without looking for any.

Listing a class makes hundreds of thousands of tuples that stay. The collector would
walk them again and again while they are made, and again while items are made of them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Leave cyclic garbage where it is until the block ends; what counts to zero still goes."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
