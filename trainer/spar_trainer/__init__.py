"""Spar's trainer: what learns from the samples of self-play, and the bridge to the nodes."""

__version__ = "0.1.0"
