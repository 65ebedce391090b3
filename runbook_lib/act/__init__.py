"""The only rooms that change AWS; entered through guard."""
