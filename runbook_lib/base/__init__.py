"""What every room stands on: errors, the project's folder, windows of time, redaction, AWS's clients."""
