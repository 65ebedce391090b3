"""The phases of the rollout, 05 to 08: shift, look, verdict, migration."""
