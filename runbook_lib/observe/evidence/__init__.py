"""Makes AWS's answers into evidence. Pure."""
