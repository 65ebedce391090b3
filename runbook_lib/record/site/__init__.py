"""A static site over the archive: every rollout, run and gate, to be read without a server."""
