"""cocotb testbenches; each takes a job (`bridgebnn.tb.runs.job`) and returns its result."""
