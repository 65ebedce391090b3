"""Settings and levels of single resources, read live."""
