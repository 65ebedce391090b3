"""What is known of a rollout, mostly pure: its moment, looks, records, people, costs, and what comes next."""
