"""JSON text as bytes: where values end, how deeply they are nested, lone surrogates and negative zeros."""

from .depth import provably_shallow
from .scan import Malformed, Scanner, skip_space, skip_value
from .surrogates import replace_invalid_text, without_lone_surrogates
from .zeros import restore_negative_zeros

__all__ = [
    "Malformed",
    "Scanner",
    "provably_shallow",
    "replace_invalid_text",
    "restore_negative_zeros",
    "skip_space",
    "skip_value",
    "without_lone_surrogates",
]
