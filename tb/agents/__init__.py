"""What plays the macro on the pins."""
