"""`runbook doctor`: whether this machine, this folder and this account are ready, line by line."""
