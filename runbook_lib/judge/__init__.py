"""Pure functions from evidence to verdicts: no I/O, no clock."""
