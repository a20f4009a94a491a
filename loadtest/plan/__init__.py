"""What a load test is to do: where to send, how much, how long."""
