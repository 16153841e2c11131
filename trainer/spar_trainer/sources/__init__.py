"""Where samples come from. Every source gives the same thing: what settled, and the record that goes with it."""

from .limits import StreamLimits
from .replay import Replayed, replay
from .stream import StreamError, StreamSource
from .types import RawSample, SampleSource

__all__ = ["RawSample", "Replayed", "SampleSource", "StreamError", "StreamLimits", "StreamSource", "replay"]
