"""The ground floor: errors, the project's folder, windows of time, redaction, AWS's clients."""
