"""What is here needs the environment of `tox -e guests`, and the repositories are for runs of their own."""

from __future__ import annotations

import os

collect_ignore_glob = ["repositories/*", "hiding/*"]
if not os.environ.get("GUESTS"):
    collect_ignore_glob.append("test_*.py")
