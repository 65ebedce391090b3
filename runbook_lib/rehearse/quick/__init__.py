"""World and judge in one process: many plays in little time, without notebooks and the embedded AWS."""
