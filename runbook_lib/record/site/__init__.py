"""A static site over the archive: every rollout, run and gate, readable without a server."""
