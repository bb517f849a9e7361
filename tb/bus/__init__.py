"""Bus masters and monitors."""
