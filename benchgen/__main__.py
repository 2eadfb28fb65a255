"""``python -m benchgen``: the command line."""

from __future__ import annotations

from benchgen.cli import main

if __name__ == "__main__":
    main()
