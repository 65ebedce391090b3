"""What is decided before a soak: power, alarms, cadence, load."""
