"""The host: driver of the register map, and programming through it."""
