"""The engines: a file for each, and a record of each in `handlers.backends.catalogue`."""
