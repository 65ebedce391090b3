"""The service under rollout, deployed into the embedded AWS."""
