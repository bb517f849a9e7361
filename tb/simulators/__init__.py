"""Building and running the simulators."""
