"""`python -m spar_trainer` is `spar-trainer`."""

from .cli import entry

entry()
