"""What a run shows: the final table, and each failure with all that is needed to understand it."""
