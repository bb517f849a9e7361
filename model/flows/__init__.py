"""Whole jobs on the model alone: programming, inference, repair, a chip at a glance."""
