# mypy: ignore-errors
"""rpyc over a Unix socket. Structures go as tuples, which it carries by value."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import driver
import rpyc
from rpyc.utils.server import ThreadedServer


class Bench(rpyc.Service):
    """The services."""

    def exposed_add(self, a, b):
        """The sum."""
        return a + b

    def exposed_echo(self, value):
        """The same."""
        return value

    def exposed_sleep(self, milliseconds):
        """Take that long."""
        time.sleep(milliseconds / 1000)
        return milliseconds


def main(control):
    """Start the other side and make calls."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/rpyc"
        other = subprocess.Popen([sys.executable, __file__, "other", path])
        try:
            driver.wait_for(lambda: Path(path).exists())
            root = driver.until_it_works(lambda: rpyc.utils.factory.unix_connect(path)).root
            add, echo, sleep = root.add, root.echo, root.sleep
            points = lambda count: tuple(tuple(driver.point(number).values()) for number in range(count))  # noqa: E731
            calls = driver.Calls(
                add=add, echo=echo, typed=echo, points=points, sleep=sleep,
                threads=True, reason="its other ways return before the reply is there, one thread for each call",
            )  # fmt: skip
            driver.serve(control, calls)
        finally:
            other.terminate()
            other.wait(10)


if __name__ == "__main__":
    if sys.argv[1] == "other":
        ThreadedServer(Bench, socket_path=sys.argv[2]).start()
    else:
        main(sys.argv[1])
