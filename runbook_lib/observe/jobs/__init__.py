"""What became of the jobs: the table, its failures, the queues, the logs."""
