"""SQL questions to the archive: its records as tables, and an index that is derived from them."""
