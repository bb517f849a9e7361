"""Proofs of the controller, and the broken designs that they must refute."""
