"""The macro: bridges, wires, neurons, tiles, and the array that stands behind the pins."""
