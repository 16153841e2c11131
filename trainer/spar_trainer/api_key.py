"""The key of inference servers: from the environment, and kept nowhere."""

from __future__ import annotations

import os

KEY_VARIABLE = "SPAR_API_KEY"


def api_key() -> str | None:
    return os.environ.get(KEY_VARIABLE, "").strip() or None
