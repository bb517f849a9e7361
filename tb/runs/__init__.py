"""From a network to a co-simulation, and the simulator's side of it."""
