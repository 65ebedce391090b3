"""Alarms as declared and as deployed."""
