"""Tests; a regular package, so that no installed package named ``tests`` takes its place."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""
