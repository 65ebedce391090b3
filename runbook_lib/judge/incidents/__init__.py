"""Judges the matters of an incident: backlogs, throttling, deviations, diffs."""
