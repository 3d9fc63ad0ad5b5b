import asyncio
import os
import socket
import time

import pytest
import pytest_socket


async def test_asyncio():
    await asyncio.sleep(0)


def test_mocker(mocker):
    mocker.patch("os.getcwd", return_value="/there")
    assert os.getcwd() == "/there"


@pytest.mark.freeze_time("2001-02-03")
def test_freezer():
    assert time.gmtime().tm_year == 2001


def test_testinfra(host):
    assert host.file("/").is_directory


def test_socket():
    with pytest.raises(pytest_socket.SocketBlockedError):
        socket.socket(socket.AF_INET)


def test_benchmark(benchmark):
    assert benchmark(int, "1") == 1


def test_snapshot_of_syrupy(snapshot):
    assert snapshot is not None


def test_faker(faker):
    assert faker.name()


def test_httpx(httpx_mock):
    assert httpx_mock.get_requests() == []


@pytest.mark.flaky(reruns=2)
def test_flaky(_tries=[]):  # noqa: B006
    _tries.append(1)
    assert len(_tries) == 2


@pytest.mark.order(1)
@pytest.mark.repeat(2)
@pytest.mark.timeout(60)
def test_marks():
    pass


def test_subtests(subtests):
    for number in range(2):
        with subtests.test(number=number):
            assert number == 0
