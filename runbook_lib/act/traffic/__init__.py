"""The weight and the switch: plans, and the calls that carry them out."""
