"""Training of the networks under ``data/`` (PyTorch, an optional extra). Imports nothing by itself."""
