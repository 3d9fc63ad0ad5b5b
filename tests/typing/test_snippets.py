"""Programs that mypy must accept, and lines that it must refuse, in strict mode."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

api = pytest.importorskip("mypy.api", reason="not run: mypy is not installed")

ROOT = Path(__file__).parents[2]
HEAD = """
import asyncio, io, os, sys
from typing import Any, Unpack
from collections.abc import Callable, Iterator
import plugsvc
from plugsvc import aio
from plugsvc import *
registry = Registry()
plugin = new_plugin("plugin")
"""

ACCEPTED = {
    "defaults": "done: list[Completed] = execute(plugin)",
    "all options": """
        def handler(plugin: Plugin, command: Command, error: Exception) -> None: ...
        def around(context: Context, plugin: Plugin, command: Command, next: Next) -> None:
            exit: Exit = next(prepend_args=["-v"], timeout=5)
        def each(plugin: Plugin, command: Command) -> Iterator[Options]:
            yield {"prepend_args": ["1"], "env": {"A": "b"}}
        def start(launch: Launch, run: Callable[[Launch], Exit]) -> Exit:
            return run(launch)
        with open("file", "wb") as file:
            execute(
                iterate_typed(discover_plugins("plugins", glob=["*.plugin"], parallelism=2), "scan"), ["x"],
                bind=registry.bind("unix"), parallelism=4, timeout=30, grace=0.5, handler=handler,
                prepend_args=("-a",), spec_flags=["a.b=c"], env=os.environ, cwd=".", stdin=0, stdout=file,
                stderr="inherit", pass_fds=[3], on_start=lambda: None,
                interceptors=[around, lambda c, p, d, next: next()], generator=each, executor=start,
                loop=asyncio.new_event_loop(), limits=Limits(max_running=5),
                die_with_host=True, context=Context(5), on_completed=print,
            )
    """,
    "options that are passed on": """
        def run(**options: Unpack[ExecuteOptions]) -> list[Completed]:
            return execute(plugin, **options)
        run(parallelism=2, bind=registry.bind())
    """,
    "awaited": """
        async def main() -> None:
            done: list[Completed] = await aio.execute(plugin, bind=registry.bind(), parallelism=2)
            async for one in aio.as_completed(plugin, timeout=5):
                print(one.stdout.upper())
            found: list[Plugin] = await aio.discover_plugins("plugins", glob="*.plugin")
    """,
    "a bind function": """
        def inherited(
            context: Context, plugin: Plugin, command: Command, reader: io.FileIO, writer: io.FileIO, next: Next
        ) -> None:
            next(prepend_args=with_file_path_pair("a", "b"), pass_fds=[reader.fileno()], on_start=reader.close)
        registry.bind(with_bind_func(inherited))
        registry.bind(with_anonymous_pipe())
        registry.bind(with_anonymous_pipe_by_procfs("/proc"))
    """,
    "a bind": """
        class Own:
            name = "own"
            def run(
                self, context: Context, plugin: Plugin, command: Command, serve: Callable[[Channel], object], next: Next
            ) -> Exit:
                return next(prepend_args=with_file_path("a"))
        registry.bind(Own())
    """,
    "stubs": """
        @service("photos")
        def tag(name: str, tags: list[str]) -> int: ...  # type: ignore[empty-body]
        count: int = tag("cat", ["nice"])
        short: int = limit(tag, timeout=0.5)("cat", [])
        results: list[int | ServiceError] = call_many([prepare(tag, "cat", ["x"])])
    """,
    "services": """
        @registry.service("photos")
        async def develop(name: str, size: Int8) -> tuple[str, Float32]:
            return name, 1.5
    """,
}

REFUSED = {
    "unknown option": ("execute(plugin, paralelism=4)", 'Unexpected keyword argument "paralelism" for "execute"'),
    "positional option": ("execute(plugin, [], registry.bind())", 'Too many positional arguments for "execute"'),
    "parallelism": ('execute(plugin, parallelism="4")', 'has incompatible type "str"; expected "int"'),
    "timeout": ('execute(plugin, timeout="5 s")', 'has incompatible type "str"; expected "float | None"'),
    "registry for a bind": (
        "execute(plugin, bind=registry)",
        'has incompatible type "Registry"; expected "Binding | None"',
    ),
    "output": ('execute(plugin, stdout="nope")', "has incompatible type"),
    "a path as a target": ('execute("plugin")', "has incompatible type"),
    "numbers as arguments": ("execute(plugin, [1, 2])", "List item 0 has incompatible type"),
    "handler": ("execute(plugin, handler=lambda error: None)", "Cannot infer type of lambda"),
    "generator": (
        "execute(plugin, generator=lambda p, c: [{'parallelism': 2}])",
        'Extra key "parallelism" for TypedDict',
    ),
    "next": (
        "execute(plugin, interceptors=[lambda c, p, d, next: next(parallelism=2)])",
        'Unexpected keyword argument "parallelism"',
    ),
    "glob": ('discover_plugins("a", glob=5)', "has incompatible type"),
    "an option that was": ("plugsvc.with_parallelism(2)", 'Module has no attribute "with_parallelism"'),
    "a name that is not": ("plugsvc.nonsense", 'Module has no attribute "nonsense"'),
    "awaited": ("async def main() -> None: await aio.execute(plugin, paralelism=4)", "Unexpected keyword argument"),
    "a stub": (
        "@service('n')\ndef tag(name: str) -> int: ...\ntag(5)",
        'Argument 1 to "tag" has incompatible type "int"; expected "str"',
    ),
    "a prepared call": (
        "@service('n')\ndef tag(name: str) -> int: ...\nprepare(tag, 5)",
        'No overload variant of "prepare" matches',
    ),
    "a context": ('Context("5")', 'Argument 1 to "Context" has incompatible type "str"'),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What mypy says of each program."""
    folder = tmp_path_factory.mktemp("snippets")
    programs = {**ACCEPTED, **{name: text for name, (text, _) in REFUSED.items()}}
    keys = {}
    for number, (name, text) in enumerate(programs.items()):
        body = text if not text.startswith("\n") else re.sub(r"^ {8}", "", text, flags=re.MULTILINE)
        (folder / f"snippet_{number}.py").write_text(HEAD + body + "\n")
        keys[f"snippet_{number}.py"] = f"{'ok' if name in ACCEPTED and text is ACCEPTED[name] else 'not'} {name}"
    options = ["--strict", "--no-error-summary", "--no-pretty", "--no-incremental", "--follow-imports=silent"]
    out, err, _ = api.run([*options, "--config-file=", f"--cache-dir={folder}/cache", *map(str, folder.glob("*.py"))])
    assert not err
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        path, _, message = line.partition(": error: ")
        if message:
            found.setdefault(keys[Path(path.partition(":")[0]).name], []).append(message)
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ACCEPTED)
def test_programs_that_are_right(name: str, said: dict[str, list[str]]) -> None:
    assert said.get(f"ok {name}", []) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", REFUSED)
def test_lines_that_are_wrong(name: str, said: dict[str, list[str]]) -> None:
    expected = REFUSED[name][1]
    assert any(expected in message for message in said.get(f"not {name}", [])), said.get(f"not {name}")
