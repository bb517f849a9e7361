"""What is written from a geometry: Verilog, its description, and the files of the register map."""
