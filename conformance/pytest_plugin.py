"""The pytest plugin under the name that older editable installations register; ``pip install -e .`` renews them."""

from pytest_plugsvc_conformance import pytest_addoption, pytest_configure

__all__ = ["pytest_addoption", "pytest_configure"]
