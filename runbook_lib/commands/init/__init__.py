"""`runbook init` and `runbook upgrade`: the project's folder from what came with the runbook."""
