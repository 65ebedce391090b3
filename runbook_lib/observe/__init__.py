"""Asks AWS; changes nothing."""
