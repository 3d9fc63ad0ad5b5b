# mypy: ignore-errors
"""JSON-RPC over standard streams, by python-lsp-jsonrpc: what language servers use."""

import subprocess
import sys
import threading
import time

import driver
from pylsp_jsonrpc.endpoint import Endpoint
from pylsp_jsonrpc.streams import JsonRpcStreamReader, JsonRpcStreamWriter

WAIT = 120


def slept(milliseconds):
    """Take that long, in another thread: a function that is returned is run there."""

    def wait():
        time.sleep(milliseconds / 1000)
        return milliseconds

    return wait


SERVICES = {"add": lambda params: sum(params), "echo": lambda params: params, "sleep": lambda params: slept(*params)}


def other_side():
    """Serve until standard input ends."""
    writer = JsonRpcStreamWriter(sys.stdout.buffer)
    endpoint = Endpoint(SERVICES, writer.write)
    JsonRpcStreamReader(sys.stdin.buffer).listen(endpoint.consume)


def main(control):
    """Start the other side and make calls."""
    other = subprocess.Popen([sys.executable, __file__, "other"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    writer = JsonRpcStreamWriter(other.stdin)
    endpoint = Endpoint({}, writer.write)
    reader = JsonRpcStreamReader(other.stdout)
    threading.Thread(target=reader.listen, args=(endpoint.consume,), daemon=True).start()

    def call(name, *args):
        return endpoint.request(name, args).result(WAIT)

    def many(pairs, way):
        return [future.result(WAIT) for future in [endpoint.request("add", pair) for pair in pairs]]

    calls = driver.Calls(
        add=lambda a, b: call("add", a, b),
        echo=lambda text: call("echo", text)[0],
        typed=lambda points: call("echo", points)[0],
        points=lambda count: [driver.point(number) for number in range(count)],
        sleep=lambda milliseconds: call("sleep", milliseconds),
        many=many,
        ways=("pipelined",),
        reason="it has no asyncio",
    )
    driver.serve(control, calls)
    other.stdin.close()
    other.wait(10)


if __name__ == "__main__":
    if sys.argv[1] == "other":
        other_side()
    else:
        main(sys.argv[1])
