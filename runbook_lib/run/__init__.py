"""One execution, of a notebook or of a command."""
