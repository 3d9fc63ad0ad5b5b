"""The conformance suite of the host-plugin service protocol.

Nothing in this package that judges imports ``plugsvc``; the one module that does, ``conformance.reference``, is a
testee and runs in a process of its own.
"""

__version__ = "0.1.0"
