"""Addresses of the catalogue's metrics, and the questions to CloudWatch."""
