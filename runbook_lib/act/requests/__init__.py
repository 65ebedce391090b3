"""Real HTTP requests to the service."""
