"""Monitors, scoreboard and waveforms: what is observed and compared."""
