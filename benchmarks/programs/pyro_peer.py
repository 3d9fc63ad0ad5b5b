# mypy: ignore-errors
"""Pyro5 over a Unix socket, with its own serializer. Each thread has its proxy, as Pyro wants it."""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import driver
import Pyro5.api


@Pyro5.api.expose
class Bench:
    """The services."""

    def add(self, a, b):
        """The sum."""
        return a + b

    def echo(self, value):
        """The same."""
        return value

    def sleep(self, milliseconds):
        """Take that long."""
        time.sleep(milliseconds / 1000)
        return milliseconds


def main(control):
    """Start the other side and make calls."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/pyro"
        other = subprocess.Popen([sys.executable, __file__, "other", path])
        try:
            driver.wait_for(lambda: Path(path).exists())
            local = threading.local()

            def proxy():
                if not hasattr(local, "proxy"):
                    local.proxy = Pyro5.api.Proxy(f"PYRO:bench@./u:{path}")
                return local.proxy

            driver.until_it_works(lambda: proxy().add(1, 1))
            calls = driver.Calls(
                add=lambda a, b: proxy().add(a, b),
                echo=lambda text: proxy().echo(text),
                typed=lambda points: proxy().echo(points),
                points=lambda count: [driver.point(number) for number in range(count)],
                sleep=lambda milliseconds: proxy().sleep(milliseconds),
                reason="a proxy has one call at a time",
            )
            driver.serve(control, calls)
        finally:
            other.terminate()
            other.wait(10)


if __name__ == "__main__":
    if sys.argv[1] == "other":
        daemon = Pyro5.api.Daemon(unixsocket=sys.argv[2])
        daemon.register(Bench, "bench")
        daemon.requestLoop()
    else:
        main(sys.argv[1])
