"""Faults injected into the library, one at each step, and what is left after them: `python -m tests.faults --help`.

- System calls: a shim in C (`shim.c`), preloaded, counts the calls of the C library's functions that can fail with an
  error and lets one of them fail. So whatever makes a call is covered: this library, the standard library and the
  interpreter. `inject` controls the shim, `runs` holds what is run under it and what is checked afterwards.
- Exceptions in the main thread, as signal handlers raise them (`interrupts`, over the `scenarios`), and kills of
  plugins and hosts (`kills`), at each step or at random moments: `python -m tests.faults.moments`.
"""
