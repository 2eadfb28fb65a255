"""The verbs of the command line, a module each: what they are given, and what they print."""
