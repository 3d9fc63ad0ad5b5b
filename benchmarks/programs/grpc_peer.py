# mypy: ignore-errors
"""grpcio over a Unix socket, with messages of protobuf that are described here instead of by a compiler."""

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import driver
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "bench.Bench"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
FIELDS = {
    "Pair": [("a", "INT64"), ("b", "INT64")],
    "Number": [("value", "INT64")],
    "Text": [("value", "STRING")],
    "Point": [("x", "INT64"), ("y", "DOUBLE"), ("label", "STRING")],
    "Points": [("points", "Point")],
}


def messages():
    """The classes of the messages, by name."""
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="bench", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in FIELDS.items():
        described = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields, 1):
            if kind in FIELDS:
                described.field.add(
                    name=field, number=number, label=kinds.LABEL_REPEATED, type=kinds.TYPE_MESSAGE,
                    type_name=f".bench.{kind}",
                )  # fmt: skip
            else:
                described.field.add(
                    name=field, number=number, label=kinds.LABEL_OPTIONAL, type=getattr(kinds, f"TYPE_{kind}")
                )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"bench.{name}")) for name in FIELDS
    }  # fmt: skip


MESSAGES = messages()
Pair, Number, Text, Point, Points = MESSAGES.values()
METHODS = {"add": (Pair, Number), "echo": (Text, Text), "points": (Points, Points), "sleep": (Number, Number)}


def slept(request, context):
    """Take that long."""
    time.sleep(request.value / 1000)
    return request


def other_side(path):
    """Serve until the process is ended."""
    services = {
        "add": lambda request, context: Number(value=request.a + request.b),
        "echo": lambda request, context: request,
        "points": lambda request, context: request,
        "sleep": slept,
    }
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            services[name], request_deserializer=given.FromString, response_serializer=returned.SerializeToString
        )
        for name, (given, returned) in METHODS.items()
    }
    server = grpc.server(ThreadPoolExecutor(16), options=OPTIONS)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    server.add_insecure_port(f"unix:{path}")
    server.start()
    server.wait_for_termination()


def stubs(channel):
    """The methods, by name."""
    return {
        name: channel.unary_unary(
            f"/{SERVICE}/{name}",
            request_serializer=given.SerializeToString,
            response_deserializer=returned.FromString,
        )
        for name, (given, returned) in METHODS.items()
    }


def coroutines(path):
    """`many` for asyncio: a loop in a thread of its own, and a channel that belongs to it."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    made = []

    async def run(pairs):
        if not made:
            made.append(stubs(grpc.aio.insecure_channel(f"unix:{path}", options=OPTIONS))["add"])
        replies = await asyncio.gather(*(made[0](Pair(a=a, b=b)) for a, b in pairs))
        return [reply.value for reply in replies]

    return lambda pairs: asyncio.run_coroutine_threadsafe(run(pairs), loop).result(60)


def main(control):
    """Start the other side and make calls."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/grpc"
        other = subprocess.Popen([sys.executable, __file__, "other", path])
        try:
            channel = grpc.insecure_channel(f"unix:{path}", options=OPTIONS)
            grpc.channel_ready_future(channel).result(20)
            stub = stubs(channel)
            add, echo, points, sleep = stub.values()
            gathered = coroutines(path)

            def many(pairs, way):
                if way == "asyncio":
                    return gathered(pairs)
                return [future.result(60).value for future in [add.future(Pair(a=a, b=b)) for a, b in pairs]]

            calls = driver.Calls(
                add=lambda a, b: add(Pair(a=a, b=b)).value,
                echo=lambda text: echo(Text(value=text)).value,
                typed=points,
                points=lambda count: Points(points=[Point(**driver.point(number)) for number in range(count)]),
                sleep=lambda milliseconds: sleep(Number(value=milliseconds)).value,
                many=many,
                ways=("pipelined", "asyncio"),
            )
            driver.serve(control, calls)
            channel.close()
        finally:
            other.terminate()
            other.wait(10)


if __name__ == "__main__":
    if sys.argv[1] == "other":
        other_side(sys.argv[2])
    else:
        main(sys.argv[1])
