"""Descriptors are made by `openers.descriptors` and `openers.sockets` only, so that none is below 3."""

from __future__ import annotations

import ast

from .test_imports import ROOT, sources

MAKERS = {
    *(f"os.{name}" for name in ("open", "pipe", "pipe2", "dup", "openpty", "eventfd", "pidfd_open", "memfd_create")),
    *(f"socket.{name}" for name in ("socket", "socketpair", "create_connection", "create_server")),
    *("subprocess.Popen", "asyncio.new_event_loop", "mmap.mmap", "select.epoll"),
}
"""What makes a descriptor that may be 0, 1 or 2."""

WRAPPERS = {"above_standard", "_above_standard", "_pair"}
"""What moves a descriptor that it is given as an argument."""

MAKING = {"openers/sockets.py": {"socket.socketpair"}, "openers/descriptors.py": {"os.open"}}
"""Where else they may be called: what these return is moved in another statement, or is a placeholder."""


def _is_safe(parents: list[ast.AST], call: ast.Call) -> bool:
    if any(keyword.arg == "fileno" for keyword in call.keywords):
        return True  # an object for a descriptor that is there already
    for parent in parents:
        if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id in WRAPPERS:
            return True
        if isinstance(parent, ast.With) and any("standard_reserved()" in ast.unparse(each) for each in parent.items):
            return True
    return False


def unsafe(source: str, name: str) -> list[str]:
    """Return the calls in a file of the library that may make a descriptor below 3."""
    found = []
    makers = MAKERS - MAKING.get(name, set())

    def visit(node: ast.AST, parents: list[ast.AST]) -> None:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in makers and not _is_safe(parents, node):
            found.append(f"{name}:{node.lineno} {ast.unparse(node.func)}")
        for child in ast.iter_child_nodes(node):
            visit(child, [*parents, node])

    visit(ast.parse(source), [])
    return found


def test_no_descriptor_of_the_library_takes_the_number_of_a_standard_stream() -> None:
    found = []
    for path in sources("plugsvc"):
        found += unsafe(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT / "plugsvc")))
    assert found == []


def test_the_check_tells_safe_calls_from_others() -> None:
    source = """
with standard_reserved():
    loop = asyncio.new_event_loop()
loop = asyncio.new_event_loop()
fd = above_standard(os.open(path, flags))
fd = os.open(path, flags)
connected = socket.socket(fileno=fd)
connected = socket.socket()
"""
    assert unsafe(source, "x.py") == ["x.py:4 asyncio.new_event_loop", "x.py:6 os.open", "x.py:8 socket.socket"]
