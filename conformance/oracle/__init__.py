"""What judges: a strict JSON reader, a frame reader and the comparison of values; the standard library alone."""
