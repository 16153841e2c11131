"""Spar's trainer: what learns from the samples of self-play. So far the bridge to the nodes."""
