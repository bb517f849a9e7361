"""The controller: commands, safety gate, and the wires between the blocks."""
