"""Backlogs, throttling, deviations, diffs: what an incident is judged by."""
