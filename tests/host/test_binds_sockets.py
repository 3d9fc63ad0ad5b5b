"""Binds over sockets: intruders are turned away, the real plugin gets in, and nothing is left."""

from __future__ import annotations

import os
import re
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Unpack
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from plugsvc.errors import PluginFailed, RegistrationError
from plugsvc.host import Command, Context, Plugin, Registry
from plugsvc.host.binds import Bind, accept
from plugsvc.host.binds.tcp import TcpBind
from plugsvc.host.binds.unix import AbstractUnixBind, UnixBind
from plugsvc.host.plugin import Command as PluginCommand
from plugsvc.host.process import Exit
from plugsvc.host.settings import Next, NextOptions

from .conftest import TIMEOUT, run

Write = Callable[..., str]
NOBODY = 65534

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="not run: only root can be another user, and this is not root"
)


def url_of(options: Mapping[str, Any]) -> str:
    """The URL that a bind has chosen."""
    flag, url = options["prepend_args"]
    assert flag == "--host"
    return str(url)


class Meanwhile:
    """A bind around a bind: does something when the listener is there, before the plugin is started."""

    def __init__(self, bind: Any, act: Callable[[str], None]) -> None:
        self.name = bind.name
        self._bind, self._act = bind, act

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Any, next: Next) -> Exit:
        def first(**options: Unpack[NextOptions]) -> Exit:
            self._act(url_of(options))
            return next(**options)

        exit = self._bind.run(context, plugin, command, serve, first)
        assert isinstance(exit, Exit)
        return exit


def address_of(url: str) -> Any:
    """Where to connect to."""
    if url.startswith("unix-abstract:"):
        return "\0" + url.partition(":")[2]
    if url.startswith("unix:"):
        return unquote(urlsplit(url).path)
    parts = urlsplit(url)
    return parts.hostname, parts.port


@pytest.fixture
def intruders() -> Iterator[list[socket.socket]]:
    """Connections of others, closed at the end."""
    made: list[socket.socket] = []
    with ExitStack() as stack:
        yield made
        for each in made:
            stack.enter_context(each)


def intruder(url: str, says: bytes = b"") -> socket.socket:
    """Connect without having a right to."""
    family = socket.AF_UNIX if url.startswith("unix") else socket.AF_INET6 if "[" in url else socket.AF_INET
    made = socket.socket(family)
    made.settimeout(TIMEOUT)
    made.connect(address_of(url))
    with suppress(BrokenPipeError, ConnectionResetError):  # it may be turned away as soon as it has come
        made.sendall(says)
    return made


def turned_away(each: socket.socket) -> bool:
    """Whether a connection was closed without a byte."""
    try:
        return each.recv(100) == b""
    except ConnectionResetError:
        return True


REQUEST = b'{"sequence":1,"type":"call","namespace":"test","name":"note","args":["intruder"]}'
WRONG = b"\0" * 32

CALL = "assert call(connect(), 'note', 1)['reply'] == [1]; print('done')"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1"])
def test_intruders_without_the_nonce_are_turned_away(
    address: str, plugin: Write, registry: Registry, calls: list[Any], intruders: list[socket.socket]
) -> None:
    """Silent ones, wrong ones, those that are gone again: many at once, and all before the plugin."""
    begins = [b"", b"", b"x", WRONG, WRONG + REQUEST, REQUEST * 10, WRONG[:31]]

    def act(url: str) -> None:
        for says in begins * 3:
            intruders.append(intruder(url, says))
        intruder(url).close()
        intruder(url, WRONG).close()
        assert turned_away(intruders[3])  # at once, while others are still waited for

    assert run(plugin(CALL), bind=registry.bind(Meanwhile(TcpBind(address), act))) == "done\n"
    assert all(map(turned_away, intruders))
    assert calls == [1]


def test_a_nonce_in_pieces(plugin: Write, registry: Registry, calls: list[Any]) -> None:
    path = plugin("""
        import socket
        from urllib.parse import parse_qs, urlsplit
        parts = urlsplit(urls[0])
        with open(parse_qs(parts.query)["noncefile"][0], "rb") as nonce:
            words = nonce.read() + b'{"sequence":7,"type":"call","namespace":"test","name":"note","args":[7]}'
        connected = socket.create_connection((parts.hostname, parts.port))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for n in range(len(words)):
            connected.sendall(words[n:n + 1])
        assert connected.recv(100) == b'{"sequence":7,"reply":[7]}\\n'
    """)
    run(path, bind=registry.bind("tcp"))
    assert calls == [7]


def test_an_intruder_that_takes_its_time_is_turned_away(
    monkeypatch: pytest.MonkeyPatch, plugin: Write, registry: Registry, intruders: list[socket.socket]
) -> None:
    monkeypatch.setattr(accept, "PROOF_SECONDS", 0.05)

    def act(url: str) -> None:
        intruders.extend([intruder(url), intruder(url, b"x")])
        assert all(map(turned_away, intruders))

    assert run(plugin("print('done')"), bind=registry.bind(Meanwhile(TcpBind(), act))) == "done\n"


def test_intruders_do_not_use_up_the_host(
    monkeypatch: pytest.MonkeyPatch, plugin: Write, registry: Registry, calls: list[Any],
    intruders: list[socket.socket],
) -> None:  # fmt: skip
    """Of too many that say nothing, those that came first have to go."""
    monkeypatch.setattr(accept, "MOST_WAITING", 5)

    def act(url: str) -> None:
        intruders.extend(intruder(url) for _ in range(8))
        assert all(map(turned_away, intruders[:3]))

    run(plugin(CALL), bind=registry.bind(Meanwhile(TcpBind(), act)))
    assert calls == [1]


def test_the_nonce_is_private_and_removed(plugin: Write, registry: Registry, tmp_path: Path) -> None:
    place = tmp_path / "p+l&a=c e%"
    place.mkdir()
    path = plugin("""
        from urllib.parse import parse_qs, urlsplit
        path = parse_qs(urlsplit(urls[0]).query)["noncefile"][0]
        mode = lambda path: oct(os.stat(path).st_mode)
        print(mode(path), mode(os.path.dirname(path)), os.stat(path).st_size)
        pair = connect()
        call(pair, "zz")
        print(os.path.exists(os.path.dirname(path)), urls[0])
    """)
    lines = run(path, bind=registry.bind(TcpBind(directory=place))).splitlines()
    assert lines[0] == "0o100600 0o40700 32"
    assert lines[1].startswith("False tcp://127.0.0.1:")
    assert list(place.iterdir()) == []
    # The secret itself is on no command line.
    assert re.fullmatch(r"False tcp://127\.0\.0\.1:\d+\?noncefile=[A-Za-z0-9/%_.-]+/nonce", lines[1])


def test_each_nonce_is_another(plugin: Write, registry: Registry) -> None:
    path = plugin("""
        from urllib.parse import parse_qs, urlsplit
        print(open(parse_qs(urlsplit(urls[0]).query)["noncefile"][0], "rb").read())
    """)
    assert run(path, bind=registry.bind("tcp")) != run(path, bind=registry.bind("tcp"))


def test_only_the_loopback() -> None:
    with pytest.raises(RegistrationError, match=r"^'0\.0\.0\.0' is not an address of the loopback, such as"):
        TcpBind("0.0.0.0")


def test_the_socket_is_private_and_removed(plugin: Write, registry: Registry, tmp_path: Path) -> None:
    place = tmp_path / "p ä?"
    place.mkdir()
    path = plugin("""
        from urllib.parse import unquote
        path = unquote(urls[0].removeprefix("unix://"))
        mode = lambda path: oct(os.stat(path).st_mode)
        print(mode(path), mode(os.path.dirname(path)))
        pair = connect()
        call(pair, "zz")
        print(os.path.exists(os.path.dirname(path)))
    """)
    old = os.umask(0)
    try:
        assert run(path, bind=registry.bind(UnixBind(place))) == "0o140600 0o40700\nFalse\n"
    finally:
        os.umask(old)
    assert list(place.iterdir()) == []


def test_a_place_too_far_down(
    plugin: Write, registry: Registry, calls: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    with pytest.raises(RegistrationError, match=r"is too far down for a socket: its path would have \d+ bytes"):
        run(plugin(), bind=registry.bind(UnixBind(deep)))
    # Chosen by nobody, it is left for a better one.
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    run(plugin("assert urls[0].startswith('unix:///tmp/plugsvc-bind-')\n" + CALL), bind=registry.bind("unix"))
    assert calls == [1]
    assert list(deep.iterdir()) == []


@pytest.mark.parametrize("bind", ["fd", "unix", "unix-abstract", "tcp"])
def test_replies_come_after_a_half_close(bind: str, plugin: Write, registry: Registry) -> None:
    """A plugin that has nothing more to say still gets what is due, when it is slow in coming, too."""
    ended = threading.Event()

    @registry.service("test")
    def wait() -> int:
        assert ended.wait(TIMEOUT)
        return 1

    path = plugin("""
        import socket
        connected = socket.socket(fileno=connect()[0])
        connected.sendall(b'{"sequence":5,"type":"call","namespace":"test","name":"wait","args":[]}')
        connected.shutdown(socket.SHUT_WR)
        open(sys.argv[-1], "w").close()
        print(connected.recv(100), connected.recv(100))
    """)
    fifo = Path(path).with_name("fifo")
    os.mkfifo(fifo)

    def listen() -> None:
        fifo.read_bytes()
        ended.set()

    thread = threading.Thread(target=listen)
    thread.start()
    out = run(path, bind=registry.bind(bind), args=(str(fifo),), context=Context(TIMEOUT))
    thread.join(TIMEOUT)
    # The host closes its end when all is said.
    assert out == """b'{"sequence":5,"reply":[1]}\\n' b''\n"""


@pytest.mark.parametrize("bind", ["unix", "unix-abstract", "tcp"])
def test_one_connection_only(bind: str, plugin: Write, registry: Registry, calls: list[Any]) -> None:
    """Whoever comes after the plugin finds nobody, whatever it knows."""
    path = plugin("""
        pair = connect()
        call(pair, "note", 1)
        try:
            connect()
        except OSError as error:
            print(type(error).__name__)
        call(pair, "note", 2)
    """)
    expected = {"unix": "FileNotFoundError\n", "unix-abstract": "ConnectionRefusedError\n"}
    out = run(path, bind=registry.bind(bind))
    assert out in (expected.get(bind), "ConnectionRefusedError\n", "FileNotFoundError\n")
    assert calls == [1, 2]


@pytest.mark.parametrize("bind", ["unix", "unix-abstract", "tcp"])
def test_a_plugin_that_never_connects_holds_nothing_up(bind: str, plugin: Write, registry: Registry) -> None:
    path = plugin("print('done')")
    run(path, bind=registry.bind())
    began = time.monotonic()
    assert run(path, bind=registry.bind(bind)) == "done\n"
    assert time.monotonic() - began < TIMEOUT / 2
    with pytest.raises(PluginFailed, match="was stopped"):
        run(plugin("signal.pause()"), bind=registry.bind(bind), timeout=0.05)


@pytest.mark.parametrize("bind", ["unix", "unix-abstract", "tcp"])
def test_a_plugin_that_connects_and_dies_is_heard(bind: str, plugin: Write, registry: Registry) -> None:
    heard = threading.Event()

    @registry.service("test")
    def touch() -> None:
        heard.set()

    path = plugin("""
        os.write(connect()[1], b'{"sequence":1,"type":"call","namespace":"test","name":"touch","args":[]}')
        os._exit(0)
    """)
    for _ in range(10):
        heard.clear()
        run(path, bind=registry.bind(bind))
        assert heard.wait(TIMEOUT)


@pytest.mark.parametrize("bind", ["unix", "tcp"])
def test_nothing_is_left_when_the_plugin_cannot_be_started(
    bind: str, plugin: Write, registry: Registry, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    made = UnixBind(place) if bind == "unix" else TcpBind(directory=place)

    def vanish(context: Context, plugin: Plugin, command: PluginCommand, next: Next) -> None:
        os.unlink(plugin.path)
        next()

    with pytest.raises(PluginFailed, match="cannot be started"):
        run(plugin(), bind=registry.bind(made), interceptors=[vanish])
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("bind", ["unix", "unix-abstract", "tcp"])
def test_what_serving_raises_is_raised(
    bind: str, plugin: Write, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is accepted in a thread; its failure is the execution's."""

    def fail(*args: object, **keywords: object) -> None:
        raise TypeError("nonsense")

    monkeypatch.setattr("plugsvc.host.execution.Server", fail)
    with pytest.raises(TypeError, match="nonsense"):
        run(plugin("connect()"), bind=registry.bind(bind))


def as_user(uid: int, act: Callable[[], None]) -> int:
    """Do something in a child of another user; return the child's status."""
    child = os.fork()
    if child == 0:
        status = 9
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            act()
            status = 0
        except PermissionError:
            status = 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_root
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("open_doors", [False, True])
@pytest.mark.parametrize("kind", ["unix", "unix-abstract", "tcp"])
def test_another_user_gets_nothing(
    kind: str, open_doors: bool, plugin: Write, registry: Registry, calls: list[Any]
) -> None:
    """Neither in, nor to the nonce; not even where somebody has opened the directory for all."""
    statuses: list[int] = []

    def act(url: str) -> None:
        def intrude() -> None:
            with intruder(url, REQUEST) as each:
                assert turned_away(each)

        def read_nonce() -> None:
            (path,) = parse_qs(urlsplit(url).query)["noncefile"]
            with open(path, "rb") as file:
                assert file.read() is None

        if open_doors and kind == "unix":
            os.chmod(address_of(url), 0o666)
            os.chmod(os.path.dirname(address_of(url)), 0o755)
        statuses.append(as_user(NOBODY, intrude))
        if kind == "tcp":
            statuses.append(as_user(NOBODY, read_nonce))

    bind = {"unix": UnixBind, "unix-abstract": AbstractUnixBind, "tcp": TcpBind}[kind]()
    assert run(plugin(CALL), bind=registry.bind(Meanwhile(bind, act))) == "done\n"
    assert calls == [1]
    # 1: permission denied; 0: connected, and turned away.
    assert statuses == {"unix": [0 if open_doors else 1], "unix-abstract": [0], "tcp": [0, 1]}[kind]


@needs_root
@pytest.mark.parametrize("kind", ["unix", "unix-abstract", "tcp"])
def test_a_plugin_that_is_to_run_as_another_user(
    kind: str, plugin: Write, registry: Registry, calls: list[Any], tmp_path: Path
) -> None:
    # Imports first: the interpreter's own files may be out of reach afterwards.
    path = plugin(
        f"import encodings.idna, socket, urllib.parse\nos.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        + CALL
    )
    place = tmp_path / "place"
    place.mkdir()
    for parent in (place, *place.parents):
        if stat.S_IMODE(parent.stat().st_mode) & 0o001 == 0:
            parent.chmod(0o711)
    binds: dict[str, Bind] = {
        "unix": UnixBind(place, uid=NOBODY),
        "unix-abstract": AbstractUnixBind(uid=NOBODY),
        "tcp": TcpBind(directory=place, uid=NOBODY),
    }
    bind = binds[kind]
    run(path, bind=registry.bind(bind))
    assert calls == [1]
    if kind == "unix":
        with pytest.raises(PluginFailed, match="PermissionError"):
            run(path, bind=registry.bind(UnixBind(place)))
    if kind == "unix-abstract":
        with pytest.raises(PluginFailed, match=r"end of file|reset by peer|Broken pipe"):
            run(path, bind=registry.bind("unix-abstract"))
    assert list(place.iterdir()) == []
