"""JSON as bytes, below messages and types: what is valid, where it ends, how deep it goes, what UTF-8 cannot carry."""

from .depth import provably_shallow
from .scan import Malformed, Scanner, skip_space, skip_value
from .surrogates import mend_text, without_lone_surrogates
from .zeros import mend_negative_zeros

__all__ = [
    "Malformed",
    "Scanner",
    "mend_negative_zeros",
    "mend_text",
    "provably_shallow",
    "skip_space",
    "skip_value",
    "without_lone_surrogates",
]
