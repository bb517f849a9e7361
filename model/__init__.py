"""Behavioural and golden models of bridges, neurons and networks (numpy)."""
