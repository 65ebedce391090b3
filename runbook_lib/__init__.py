"""The rollout runbook: judge a gradual deployment on AWS, act on it safely, record what happened."""
