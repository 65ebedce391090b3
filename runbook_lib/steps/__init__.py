"""What the notebooks' cells call; each module is named as its notebook."""
