"""Questions to the archive: its records as tables, an index that is derived of them, and what may be asked."""
