"""Studies of conditions, immunity and error rates, and their plots."""
