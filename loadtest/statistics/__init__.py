"""What the numbers say, and how sure that is."""
