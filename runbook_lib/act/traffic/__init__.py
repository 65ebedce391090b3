"""The weight and the switch: plans, and AppConfig."""
