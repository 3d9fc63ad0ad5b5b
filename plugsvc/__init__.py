"""Services that a host program gives to its plugin processes.

In a plugin: `get_service` or `@service` make functions that call the host. In a host: a `Registry` of
functions, bound to the plugins that `discover_plugins` finds and `execute` runs.

The public names are those in `__all__` of the modules below, and all of them are here. Each module is imported when a
name is first used that no module before it has, so that a plugin does not pay for the host's side.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .imports import importing

if TYPE_CHECKING:
    from .client import *  # noqa: F403
    from .client.many import *  # noqa: F403
    from .errors import *  # noqa: F403
    from .host import *  # noqa: F403
    from .marshal import *  # noqa: F403
    from .openers import *  # noqa: F403


__version__ = "0.1.0"

_PARTS = ("errors", "client", "client.many", "marshal", "openers", "host")


def _public_names() -> list[str]:
    with importing():
        return [name for part in _PARTS for name in import_module(f".{part}", __name__).__all__]


if not TYPE_CHECKING:  # type checkers would take any name for one of this module

    def __getattr__(name: str) -> object:
        if name == "__all__":
            return sorted([*_public_names(), "__version__"])
        if not name.startswith("_"):
            for part in _PARTS:
                with importing():
                    module = import_module(f".{part}", __name__)
                if name in module.__all__:
                    value: object = getattr(module, name)
                    globals()[name] = value
                    return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *_public_names()})
