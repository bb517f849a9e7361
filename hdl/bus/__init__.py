"""Buses in front of the register bank, and the bank itself."""
