"""cocotb agents, scoreboards and testbenches that join the RTL with the macro model."""
