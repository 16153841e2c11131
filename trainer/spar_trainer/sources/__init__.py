"""Where samples come from. Every source gives the same thing: what settled, and the record that goes with it."""

from .types import RawSample, SampleSource

__all__ = ["RawSample", "SampleSource"]
