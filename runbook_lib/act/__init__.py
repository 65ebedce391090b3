"""The only rooms that change AWS; every change goes through the guard."""
