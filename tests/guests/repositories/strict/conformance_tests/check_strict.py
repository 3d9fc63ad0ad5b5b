"""A doctest.

>>> 1 + 1
2
"""

import warnings

import pytest


@pytest.mark.mine
def check_passes():
    pass


def check_warns():
    warnings.warn("an error here", UserWarning)


def test_not_collected():
    assert False
