"""What an implementation raises to tell the contract how an operation ended."""


class CallError(Exception):
    """An ordinary error of an operation: the text is exactly what the implementation gives its caller."""


class Misuse(Exception):
    """The implementation refuses a mistake of the programmer."""


class Unsupported(Exception):
    """The implementation, or this testee, cannot do what was asked for."""
