"""Programming a row: forming, SET, RESET and verify, and the log of what failed."""
