"""The resources as they are, compared with what they should be."""
