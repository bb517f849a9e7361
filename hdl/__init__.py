"""Amaranth source of the bridgebnn controller. Importing this package imports nothing else."""
