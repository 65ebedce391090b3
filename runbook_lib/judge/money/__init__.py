"""Computes bills, costs per report and projections from usage and prices."""
