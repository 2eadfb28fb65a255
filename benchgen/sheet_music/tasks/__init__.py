"""The classes of sheet-music problems, one module each, found by looking."""
