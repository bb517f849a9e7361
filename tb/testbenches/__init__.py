"""cocotb testbenches; each takes a job (`tb.job`) and returns its result."""
