"""The resources as they are, held against what they should be."""
