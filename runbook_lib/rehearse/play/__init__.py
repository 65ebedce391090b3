"""Directs a rehearsal from the first notebook to the last: who runs what, when, and how it ends."""
