"""Draws charts and tables, without access to AWS."""
