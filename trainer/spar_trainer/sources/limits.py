"""What a source of samples on the bus holds, waits for and tries at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StreamLimits:
    held_count_max: int = 8_192
    """Samples fetched and not acknowledged."""
    held_bytes_max: int = 4 * 2**30
    """The same in bytes of records; one that is larger comes alone."""
    record_bytes_max: int = 2**30
    """Of one record; a larger one is a fault."""
    fetch_count: int = 64
    """Entries asked for at a time."""
    reads_at_once: int = 8
    """Records fetched at a time."""
    fetch_s: float = 5.0
    """How long a request for entries waits."""
    ack_wait_s: float = 60.0
    """What a reader that is gone held comes again after so long."""
    keep_alive_s: float = 15.0
    """How often the server is told that what is held is still wanted."""
    answer_s: float = 5.0
    """How long an acknowledgement waits to be confirmed; what was not is sent again with the next `keep_alive_s`."""
    acknowledges_at_once: int = 256
    retry_s: float = 0.5
    """Between two tries of what the bus did not do."""
    record_tries: int = 3
    """Before a record that is missing or damaged is a fault."""
    bus_tries: int = 120
    """Of one record, with `retry_s` between them, while the bus is there and fails: then reading ends. One that is away is waited for."""
    acknowledged_ids_max: int = 100_000
    """Ids of what was acknowledged last, so that what comes again all the same is known."""
