"""Implementations that share no code with the reference: the suite on them, and programs of all of them together."""
