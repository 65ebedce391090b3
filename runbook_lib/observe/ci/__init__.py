"""What GitHub says of a job of its own: who let it into its environment, and its signature on that."""
