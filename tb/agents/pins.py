"""Moved to ``bridgebnn.tb.pins``; this name stays until nothing imports it."""

from bridgebnn.tb.pins import Pin, bits_of, string_of

__all__ = ["Pin", "bits_of", "string_of"]
