"""What every peer is made of: what is known of it, how it is started, and the model that it serves."""
