"""Hides the distribution from pytest where HIDE_PLUGSVC is set: the same environment, as if it was not installed."""

import importlib.metadata
import os

if os.environ.get("HIDE_PLUGSVC"):
    _real = importlib.metadata.distributions
    importlib.metadata.distributions = lambda **options: (
        found for found in _real(**options) if found.metadata["Name"] != "plugsvc"
    )
