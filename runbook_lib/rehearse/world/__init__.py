"""The simulated service: traffic, jobs, faults, and the metrics for AWS."""
