"""Records what a host and a plugin say to each other; see docs/traffic.md."""
