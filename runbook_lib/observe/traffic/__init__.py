"""The weight in force, its history, and the traffic before the rollout."""
