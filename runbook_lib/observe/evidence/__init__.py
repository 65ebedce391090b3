"""Answers of AWS made into evidence. Pure."""
