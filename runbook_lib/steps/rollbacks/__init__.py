"""The three rollback scenarios."""
