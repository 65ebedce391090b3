"""The embedded AWS, the sandbox stack, the simulated world and the director."""
