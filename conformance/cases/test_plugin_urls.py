"""How a plugin finds its connection by the URLs of its command line."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from conformance.case import case
from conformance.drive import endpoints
from conformance.drive.plugin import PluginSession
from conformance.outcomes import Failure

Start = Callable[..., PluginSession]
Broken = tuple[list[str]] | Callable[[], endpoints.Endpoint]
"""URLs, or a connection, that cannot be opened."""
MISSING = "file:///nonexistent/conformance/pipe"


def converse(plugin: PluginSession) -> None:
    """A conversation with every operation, and messages larger than the buffers of the kernel."""
    plugin.assert_alive()
    for op, answer, meant in (
        ("hasNamespace", {"ok": True}, True),
        ("getManifest", {"reply": {"a": 1}}, {"a": 1}),
        ("listServices", {"services": ["a"]}, ["a"]),
    ):
        ticket = plugin.start(op, namespace="n")
        plugin.reply(plugin.request(ticket), **answer)
        plugin.value(ticket, meant)
    text = "0123456789 é😀 " * 10_000
    ticket = plugin.call(text)
    request = plugin.serve(ticket, text)
    plugin.ok(ticket, text)
    if request.get("args") != [text]:
        raise Failure("another argument on the wire than was given", seen=repr(request.get("args"))[:200])


@case("URL-01", each={"procfs": endpoints.procfs, "dev-fd": endpoints.devfd, "named-pipes": endpoints.fifo})
def test_two(start_plugin: Start, each: Callable[[], endpoints.Endpoint]) -> None:
    """Of two URLs the first is read and the second written, whatever kind of pipe they name."""
    converse(start_plugin(endpoint=each))


@case("URL-02", features=("single-url",))
def test_single(start_plugin: Start) -> None:
    """A single URL is read and written: here the other end of a pseudo-terminal."""
    converse(start_plugin(endpoint=endpoints.single_pty))


def bare(path: str) -> str:
    """The URL with every character as it is that a path of a URL may hold."""
    return "file://" + quote(path, safe="/:@!$&'()*+,;=~")


def encoded(path: str) -> str:
    """The URL with every character percent-encoded but the slash."""
    return "file://" + "".join("/" if byte == 0x2F else f"%{byte:02X}" for byte in path.encode())


def lower(path: str) -> str:
    """The URL with lower-case hexadecimal digits."""
    return "file://" + quote(path).replace("%C3", "%c3").replace("%AB", "%ab").replace("%AF", "%af")


NAMES: dict[str, tuple[str, Callable[[str], str]]] = {
    "space": ("a b", endpoints.file_url),
    "percent-sign": ("100%", endpoints.file_url),
    "percent-sequence": ("a%20b", endpoints.file_url),
    "question-mark": ("what?is=this", endpoints.file_url),
    "number-sign": ("a#b", endpoints.file_url),
    "non-ascii": ("naïve 日本語 😀", endpoints.file_url),
    "plus-sign": ("a+b", bare),
    "reserved-characters": ("a:b@c&d;e=f,g!(h)*'", bare),
    "backslash": ("a\\b", endpoints.file_url),
    "all-encoded": ("plain-name", encoded),
    "lower-case-digits": ("naïve ë", lower),
    "line-feed": ("a\nb", endpoints.file_url),
}


@case("URL-03", each=NAMES)
def test_path(start_plugin: Start, each: tuple[str, Callable[[str], str]]) -> None:
    """The path of a file URL names the file after percent-decoding, once."""
    name, spell = each
    start_plugin(endpoint=lambda: endpoints.fifo(f"in {name}", f"out {name}", spell)).assert_alive()


@case(
    "URL-04",
    each={
        "no-authority": lambda path: "file:" + quote(path),
        "localhost": lambda path: "file://localhost" + quote(path),
        "upper-case-scheme": lambda path: "FILE://" + quote(path),
        "mixed-case-scheme": lambda path: "File:" + quote(path),
    },
)
def test_spelling(start_plugin: Start, each: Callable[[str], str]) -> None:
    """Other spellings of a file URL mean the same file."""
    start_plugin(endpoint=lambda: endpoints.fifo(spell=each)).assert_alive()


def all_fail(plugin: PluginSession, why: str) -> list[str]:
    """Every operation must fail, the first and later ones; the process must live on and exit in its own way."""
    texts = [plugin.failed(plugin.call(), why=f"a call with {why}")]
    for op in ("hasNamespace", "getManifest", "listServices"):
        texts.append(plugin.failed(plugin.start(op, namespace="n"), why=f"{op} with {why}"))
    texts.append(plugin.failed(plugin.call(1), why=f"a later call with {why}"))
    plugin.finish()
    return texts


def instead(first: str | None, second: str | None) -> Callable[[], endpoints.Endpoint]:
    """Good pipes, one of them named by another URL."""

    def endpoint() -> endpoints.Endpoint:
        made = endpoints.fifo()
        made.urls = [first or made.urls[0], second or made.urls[1]]
        return made

    return endpoint


def pipes_of_unknown_scheme() -> endpoints.Endpoint:
    """Good pipes, named by URLs that are right but for their scheme."""
    made = endpoints.fifo()
    made.urls = [url.replace("file:", "bogus:", 1) for url in made.urls]
    return made


@case(
    "URL-05",
    each={
        "single": (["bogus:///nowhere"],),
        "both": (["bogus:///nowhere", "bogus:nowhere"],),
        "first": instead("bogus:///nowhere", None),
        "second": instead(None, "bogus:///nowhere"),
        "of-pipes": pipes_of_unknown_scheme,
    },
)
def test_unknown_scheme(start_plugin: Start, each: Broken) -> None:
    """A scheme that nobody knows makes all calls fail, with an error that names it."""
    plugin = start_plugin(urls=each[0]) if isinstance(each, tuple) else start_plugin(endpoint=each)
    text = all_fail(plugin, "a URL of the unknown scheme bogus")[0]
    if "bogus" not in text.lower():
        raise Failure("the error does not name the unknown scheme", expected="a text with bogus", seen=text)


@case(
    "URL-06",
    each={
        "single": ([MISSING],),
        "both": ([MISSING, MISSING],),
        "first": instead(MISSING, None),
        "second": instead(None, MISSING),
        "directory": (["file:///", "file:///"],),
        "below-a-file": (["file:///dev/null/in", "file:///dev/null/out"],),
        "closed-descriptor": (["file:///dev/fd/987", "file:///dev/fd/988"],),
    },
)
def test_cannot_be_opened(start_plugin: Start, each: Broken) -> None:
    """A path that cannot be opened makes all calls fail."""
    plugin = start_plugin(urls=each[0]) if isinstance(each, tuple) else start_plugin(endpoint=each)
    all_fail(plugin, "a URL that cannot be opened")
