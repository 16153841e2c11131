"""What the server refuses with: a status of HTTP, a stable code, and a message that names the thing, the rule and the way out."""

from __future__ import annotations

from ..errors import TrainerError


class ServeError(TrainerError):
    """Codes:
    SERVE_REQUEST   400  a field of the request is missing or wrong
    SERVE_CONTEXT   400  prompt and completion do not fit the context
    SERVE_WEIGHTS   400  weights cannot be loaded; the old ones go on serving
    SERVE_KEY       401  the key is missing or wrong
    SERVE_MODEL     404  the model is not served here
    SERVE_BUSY      429  the queue is full
    SERVE_FAILED    500  the model failed in the middle of a completion, or the engine has died
    SERVE_DRAINING  503  the server is ending
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status = STATUS[code]


STATUS = {
    "SERVE_REQUEST": 400,
    "SERVE_CONTEXT": 400,
    "SERVE_WEIGHTS": 400,
    "SERVE_KEY": 401,
    "SERVE_MODEL": 404,
    "SERVE_BUSY": 429,
    "SERVE_FAILED": 500,
    "SERVE_DRAINING": 503,
}
