"""The names that people may import from `plugsvc`, and what importing them costs."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import plugsvc
from plugsvc import aio

CLIENT = {
    "add_host_flags", "close", "get_manifest", "get_service", "has_namespace", "host_option", "hosted",
    "init_service_client", "list_services", "namespace_stub", "service", "set_default_timeout",
    "limit", "BoundCall", "call_many", "prepare",
}  # fmt: skip

AIO = {
    "as_completed", "call_many", "discover_plugins", "execute", "get_manifest", "get_service", "has_namespace",
    "init_service_client", "list_services", "new_plugin",
}  # fmt: skip

ERRORS = {
    "ArgumentError", "CallTimeout", "ConnectionLost", "DiscoveryError", "IncompatiblePlugin", "ManifestError",
    "MarshalError", "MisuseError", "NotHosted", "OpenError", "PluginError", "PluginFailed", "PlugsvcError",
    "ProtocolError", "RegistrationError", "RemoteError", "ResultError", "ServiceError", "SignatureError",
}  # fmt: skip

HOST = {
    "Bind", "BindFunc", "Binding", "Channel", "Command", "Completed", "Context", "DiscoveryHandler", "ExecuteOptions",
    "Executor", "Exit", "Generator", "Handler", "Interceptor", "Launch", "Limits", "Manifest", "Next", "NextOptions",
    "Options", "OutputTarget", "Plugin", "Registry", "Server", "Services", "Target", "discover_plugins", "execute",
    "iterate_all", "iterate_typed", "new_plugin", "with_anonymous_pipe", "with_anonymous_pipe_by_procfs",
    "with_bind_func", "with_default_bind",
}  # fmt: skip

TYPES = {
    "Float32", "Float64", "Int8", "Int16", "Int32", "Int64", "Raw", "Signature", "UInt8", "UInt16", "UInt32",
    "UInt64",
}  # fmt: skip

OPENERS = {
    "Duplex", "FdStream", "FileOpener", "Stream", "URL", "keep_large_blocks", "register_file_opener", "with_file_path",
    "with_file_path_pair",
}  # fmt: skip

PUBLIC = CLIENT | ERRORS | HOST | TYPES | OPENERS | {"__version__"}


def imported_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after `code`, beyond those it starts with."""
    script = f"import sys; before = set(sys.modules)\n{code}\nprint([*set(sys.modules) - before])"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(ast.literal_eval(done.stdout))


def test_the_surface_is_what_is_meant() -> None:
    names = importlib.import_module("plugsvc").__all__
    assert set(names) == PUBLIC
    assert len(names) == len(PUBLIC)
    assert set(dir(plugsvc)) >= PUBLIC
    assert set(aio.__all__) == AIO
    assert all(callable(getattr(aio, name)) for name in AIO)
    with pytest.raises(AttributeError, match=r"^module 'plugsvc\.aio' has no attribute 'nothing'$"):
        _ = aio.nothing


@pytest.mark.parametrize("name", sorted(AIO - {"as_completed", "execute", "get_service"}))
def test_what_is_awaited_takes_the_same_arguments(name: str) -> None:
    """All but `get_service`, whose stubs are of another kind, and what there is only here."""
    both = [inspect.signature(getattr(module, name)) for module in (aio, plugsvc)]
    assert both[0] == both[1]
    assert inspect.iscoroutinefunction(getattr(aio, name))


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_name_is_there(name: str) -> None:
    assert getattr(plugsvc, name) is not None


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match=r"^module 'plugsvc' has no attribute 'nonsense'$"):
        plugsvc.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_names_are_listed_once() -> None:
    """In `__all__` of the modules, which type checkers read, too; `tests/typing` shows that they do."""
    tree = ast.parse(Path(plugsvc.__file__).read_text(encoding="utf-8"))
    typed = [
        node.module
        for branch in tree.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
    ]
    parts = [importlib.import_module(f"plugsvc.{module}") for module in typed]
    names = [name for part in parts for name in part.__all__]
    assert sorted(names) == sorted(PUBLIC - {"__version__"})


def test_version() -> None:
    assert plugsvc.__version__ == importlib.metadata.version("plugsvc")


def test_import_alone_loads_nothing_of_ours() -> None:
    loaded = imported_by("import plugsvc")
    assert {module for module in loaded if module.startswith(("plugsvc", "msgspec"))} == {"plugsvc", "plugsvc.imports"}


@pytest.mark.parametrize(
    "code",
    [
        "import plugsvc.client",
        "from plugsvc import get_service, service, RemoteError, hosted\nhosted()",
        "import plugsvc\n@plugsvc.service('n')\ndef f(a: int, b: list[str]) -> tuple[int, str]: ...",
        "from plugsvc import Duplex, FdStream, FileOpener, URL, register_file_opener",
        "from plugsvc import call_many, prepare",
        "from plugsvc.openers import open_stream\nopen_stream(['file:///dev/null', 'file:///dev/null']).close()",
    ],
)
def test_the_plugins_side_is_light(code: str) -> None:
    loaded = imported_by(code)
    heavy = {"asyncio", "subprocess", "logging", "click", "rich", "urllib.parse", "argparse", "concurrent", "socket"}
    assert not heavy & loaded
    assert not {module for module in loaded if module.startswith(("plugsvc.host", "plugsvc.log"))}


def test_coroutines_do_not_load_the_hosts_side() -> None:
    assert not {
        module for module in imported_by("import plugsvc.aio") if module.startswith(("plugsvc.host", "plugsvc.log"))
    }
