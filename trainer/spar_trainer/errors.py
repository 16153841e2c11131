"""The one error of the trainer: what could not be done, to what, why and the way out, under a stable code."""

from __future__ import annotations


class TrainerError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
