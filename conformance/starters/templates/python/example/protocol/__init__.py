"""A small implementation of the protocol between hosts and plugins, both sides, on the standard library."""
