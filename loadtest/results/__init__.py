"""What a load test finds: requests, levels, runs, reports; data and the files that keep it."""
