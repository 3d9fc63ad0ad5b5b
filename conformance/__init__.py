"""The conformance suite of the host-plugin service protocol.

Nothing in this package that judges imports ``plugsvc``; the one module that does, ``conformance.reference``, is a
testee and runs in a process of its own.
"""


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # not needed by the stub plugin, which starts often

        return version("plugsvc")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
