"""The embedded AWS: MiniStack in a process of its own, and what it lacks."""
