"""One execution of a notebook or a command."""
