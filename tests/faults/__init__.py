"""Faults injected into the library, one at each step, and what is left after them: `python -m tests.faults --help`."""
