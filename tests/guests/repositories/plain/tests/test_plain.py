import sys
import unittest

import pytest


def test_passes(plugin, share, subject):
    assert (plugin, subject) == ("theirs", "theirs")


def test_fails():
    assert [1, 2] == [1, 3]


@pytest.mark.skip(reason="for a reason")
def test_skipped():
    pass


@pytest.mark.xfail(reason="for another")
def test_expected_to_fail():
    assert False


def test_error(no_such_fixture):
    pass


def test_nothing_of_ours_is_loaded():
    assert {"conformance", "plugsvc", "msgspec"} & set(sys.modules) == set()


class TestUnit(unittest.TestCase):
    def test_unit(self):
        self.assertEqual(1, 1)
