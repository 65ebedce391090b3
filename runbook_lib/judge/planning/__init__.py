"""Plans for a soak: power, alarms, cadence, load."""
