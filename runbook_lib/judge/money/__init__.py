"""Prices, bills, projections."""
