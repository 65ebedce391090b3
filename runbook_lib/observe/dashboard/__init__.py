"""The dashboard as declared and as deployed."""
