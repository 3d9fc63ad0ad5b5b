"""Running testees: processes, channels, and the two peers that the suite plays (host and plugin)."""
