"""What runs in the process that sends: Locust, its users and its levels."""
