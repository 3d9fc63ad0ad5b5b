"""Finding plugins below a directory."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from plugsvc.errors import DiscoveryError, RegistrationError
from plugsvc.host import Context, Plugin as Found, discover_plugins

Plugin = Callable[..., str]


def no_refusal(path: str, error: Exception) -> None:
    pytest.fail(f"refused: {error}")


@pytest.fixture
def tree(plugin: Plugin, script: Callable[..., str], tmp_path: Path) -> Path:
    for name in ("b", "a.sh", "sub/c.sh", "sub/deep/d"):
        plugin(name=name)
    script("", "broken", 0o755)
    script("", "README", 0o644)
    return tmp_path


def names(found: list[Found], root: Path) -> list[str]:
    return [os.path.relpath(each.path, root) for each in found]


def test_everything_below_in_order(tree: Path) -> None:
    refused: list[str] = []
    found = discover_plugins(tree, handler=lambda path, error: refused.append(f"{error}"))
    assert names(found, tree) == ["a.sh", "b", "sub/c.sh", "sub/deep/d"]
    assert refused == [f"{tree}/broken: `info` wrote no manifest: Input data was truncated (it wrote nothing)"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["*.sh"], ["a.sh", "sub/c.sh"]),
        (["/*.sh"], ["a.sh"]),
        (["*/*.sh"], ["sub/c.sh"]),
        (["**/*.sh"], ["a.sh", "sub/c.sh"]),
        (["sub/**"], ["sub/c.sh", "sub/deep/d"]),
        (["sub/**/d"], ["sub/deep/d"]),
        (["b", "d"], ["b", "sub/deep/d"]),
        (["?"], ["b", "sub/deep/d"]),
        (["[a-c]*.sh"], ["a.sh", "sub/c.sh"]),
        (["[!a]*.sh"], ["sub/c.sh"]),
        (["*.SH"], []),
        (["a?sh"], ["a.sh"]),
        (["a.s"], []),
        (["x+"], []),
    ],
)
def test_globs(patterns: list[str], expected: list[str], tree: Path) -> None:
    assert names(discover_plugins(tree, glob=[*patterns], handler=no_refusal), tree) == expected


def test_an_empty_glob_is_misuse() -> None:
    with pytest.raises(RegistrationError, match=r"^glob has '', which is not a pattern for files$"):
        discover_plugins("/", glob="")


def test_what_a_glob_asks_for_is_refused_when_it_is_not_executable(tree: Path) -> None:
    refused: list[str] = []
    discover_plugins(tree, glob="README", handler=lambda path, error: refused.append(str(error)))
    assert refused == [f"{tree}/README: not executable"]


def test_refusals_are_logged(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "plugsvc.discovery"):
        discover_plugins(tree)
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [f"{tree}/broken"]


def test_a_missing_root(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryError, match="missing: no such directory"):
        discover_plugins(tmp_path / "missing")


def test_a_root_that_is_a_file(tree: Path) -> None:
    with pytest.raises(DiscoveryError, match="b: not a directory"):
        discover_plugins(tree / "b")


def test_symbolic_links(plugin: Plugin, tmp_path: Path) -> None:
    plugin(name="real/plugin")
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").symlink_to(tmp_path / "real" / "plugin")
    (root / "again").symlink_to(tmp_path / "real" / "plugin")
    (root / "loop").symlink_to(root)
    (root / "nowhere").symlink_to(tmp_path / "nowhere")
    (root / "to-nowhere-in-particular").symlink_to("to-nowhere-in-particular")
    assert names(discover_plugins(root, handler=no_refusal), root) == ["again"]

    (tmp_path / "link").symlink_to(root)
    assert [each.path for each in discover_plugins(tmp_path / "link")] == [str(tmp_path / "link" / "again")]


def test_directories_behind_links(plugin: Plugin, tmp_path: Path) -> None:
    plugin(name="real/plugin")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "there").symlink_to(tmp_path / "real")
    found = discover_plugins(tmp_path / "root", handler=no_refusal)
    assert names(found, tmp_path / "root") == ["there/plugin"]


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o755)
    assert discover_plugins(tmp_path, glob="*", handler=no_refusal) == []


def test_they_are_asked_side_by_side(script: Callable[..., str], tmp_path: Path) -> None:
    """Each waits for the other one: asked one after the other, neither would answer."""
    for name, other in (("one", "two"), ("two", "one")):
        os.mkfifo(tmp_path / f"{name}.fifo", 0o600)
        body = f"""
            import os, threading
            here, there = {str(tmp_path / name)!r} + ".fifo", {str(tmp_path / other)!r} + ".fifo"
            writer = threading.Thread(target=lambda: open(there, "w").close())
            writer.start()
            open(here).close()
            writer.join()
            print('{{"manifestVersion":1}}')
        """
        script(body, name)
    found = discover_plugins(tmp_path, parallelism=2, timeout=20, handler=no_refusal)
    assert names(found, tmp_path) == ["one", "two"]


def test_the_handler_may_end_it(tree: Path) -> None:
    def handler(path: str, error: Exception) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        discover_plugins(tree, handler=handler)


def test_cancellation(script: Callable[..., str], tmp_path: Path) -> None:
    for number in range(6):
        script("import signal; signal.pause()", f"p{number}")
    context = Context()
    timer = threading.Timer(0.2, context.cancel, ["no time"])
    timer.start()
    with pytest.raises(DiscoveryError, match="was stopped: no time"):
        discover_plugins(tmp_path, parallelism=2, context=context)
    timer.join()


def test_parallelism_is_positive(tmp_path: Path) -> None:
    with pytest.raises(RegistrationError, match=r"^parallelism must be at least 1, not 0$"):
        discover_plugins(tmp_path, parallelism=0)


HOSTILE = {
    "closed": "import os; os.close(1); os.close(2)",
    "deep": """print('{"manifestVersion":1,"x":' + '[' * 100_000)""",
    "hangs": "import signal; signal.pause()",
    "huge": "while True: print('x' * 65536)",
    "kills-itself": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "leaves-a-child": "import os, signal\nif os.fork() == 0: signal.pause()",
    "null": r"""print(r'{"manifestVersion":1,"commands":[{"path":["\u0000"]}]}')""",
    "utf-8": "import sys; sys.stdout.buffer.write(bytes([123, 255]))",
}


def test_one_plugin_does_not_hide_others(plugin: Plugin, script: Callable[..., str], tmp_path: Path) -> None:
    for name, body in HOSTILE.items():
        script(body, f"plugins/{name}")
    (tmp_path / "plugins" / "not-a-program").write_bytes(b"\x7fELF")
    (tmp_path / "plugins" / "not-a-program").chmod(0o755)
    (tmp_path / "plugins" / "no-interpreter").write_text("#!/no/such/interpreter\n")
    (tmp_path / "plugins" / "no-interpreter").chmod(0o755)
    plugin(name="plugins/a")
    plugin(name="plugins/z")
    plugin(name="plugins/new\nline")
    refused: dict[str, DiscoveryError] = {}
    found = discover_plugins(tmp_path / "plugins", handler=refused.__setitem__, timeout=2, output_limit=1_000_000)
    assert names(found, tmp_path / "plugins") == ["a", "new\nline", "z"]
    assert {os.path.basename(path) for path in refused} == {*HOSTILE, "not-a-program", "no-interpreter"}


SECONDS = "must be a number of seconds from 0 to 1e+09, not "
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"root": 5}, "root must be a path, not 5"),
    ({"root": "a\0b"}, "root cannot be the path 'a\\x00b': it has a null character"),
    ({"glob": 5}, "glob must be an iterable of strings, not 5"),
    ({"glob": [5]}, "glob[0] must be a string, not 5"),
    ({"glob": "/"}, "glob has '/', which is not a pattern for files"),
    ({"handler": 5}, "handler must be a function, not 5"),
    ({"parallelism": 0}, "parallelism must be at least 1, not 0"),
    ({"parallelism": None}, "parallelism must be a whole number, not None"),
    ({"timeout": float("nan")}, f"timeout {SECONDS}nan"),
    ({"timeout": float("inf")}, f"timeout {SECONDS}inf"),
    ({"output_limit": -1}, "output_limit must be at least 1, not -1"),
    ({"context": 5}, "context must be a Context, not 5"),
]


@pytest.mark.parametrize(("options", "text"), REFUSED, ids=[str(options) for options, _ in REFUSED])
def test_every_option_is_checked_when_it_is_given(options: dict[str, Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(RegistrationError) as caught:
        discover_plugins(**{"root": tmp_path, **options})
    assert str(caught.value) == text


def test_every_option_is_in_the_table_above() -> None:
    assert {name for options, _ in REFUSED for name in options} == set(signature(discover_plugins).parameters)
