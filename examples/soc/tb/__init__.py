"""Testbench of the chip."""
