"""The simulated service: traffic, jobs, faults, and what AWS is told of them."""
