"""Judges recordings of real hosts and plugins by the requirements that are visible in them; see docs/traffic.md."""
