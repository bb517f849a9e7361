"""Binarized networks: file format, data sets, and golden, the integer reference."""
