"""The metric catalogue, and the questions to CloudWatch."""
