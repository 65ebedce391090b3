"""The embedded AWS: MiniStack in a process of its own, and the functions that it lacks."""
