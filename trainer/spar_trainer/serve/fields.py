"""Reading the fields of a request: every value is looked at before it is used, and a wrong one is named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import ServeError
from .sampling import Sampling

Fields = Mapping[str, Any]


def wrong(name: str, should: str) -> ServeError:
    return ServeError("SERVE_REQUEST", f'Cannot take the request: "{name}" {should}')


def number(body: Fields, name: str, otherwise: float, least: float, most: float) -> float:
    """A number that may be left out or null."""
    value = body.get(name)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not least <= value <= most:
        raise wrong(name, f"has to be a number from {least:g} to {most:g}")
    return value


def whole(body: Fields, name: str, otherwise: int | None, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise wrong(name, f"has to be a whole number from {least} to {most}")
    return value


def flag(body: Fields, name: str, otherwise: bool = False) -> bool:
    value = body.get(name)
    if value is None:
        return otherwise
    if not isinstance(value, bool):
        raise wrong(name, "has to be true or false")
    return value


def text(body: Fields, name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong(name, "has to be text")
    return value


def required_text(body: Fields, name: str) -> str:
    value = text(body, name)
    if value is None or value == "":
        raise wrong(name, "is missing")
    return value


def nested(body: Fields, name: str) -> Fields:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name, "has to be an object")
    return value


def token_list(value: Any, name: str, vocabulary: int) -> list[int]:
    if not isinstance(value, list) or not all(type(token) is int and 0 <= token < vocabulary for token in value):
        raise wrong(name, f"has to be a list of token ids from 0 to {vocabulary - 1}")
    return value


def stop_strings(body: Fields, count_max: int, characters_max: int) -> tuple[str, ...]:
    value = body.get("stop")
    stops = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or len(stops) > count_max or not all(isinstance(stop, str) and 0 < len(stop) <= characters_max for stop in stops):
        raise wrong("stop", f"has to be up to {count_max} texts of 1 to {characters_max} characters")
    return tuple(stops)


def sampling(body: Fields, seed: int) -> Sampling:
    """What OpenAI's, vLLM's and SGLang's requests share. What would change the distribution and is not to be had here is refused."""
    refuse_unless(body, {"repetition_penalty": 1, "presence_penalty": 0, "frequency_penalty": 0, "n": 1, "best_of": 1, "min_tokens": 0, "min_new_tokens": 0})
    top_k = whole(body, "top_k", 0, -1, 2**31)
    return Sampling(
        seed=seed,
        temperature=number(body, "temperature", 1.0, 0.0, 100.0),
        top_p=number(body, "top_p", 1.0, 1e-9, 1.0),
        top_k=max(0, top_k or 0),
        min_p=number(body, "min_p", 0.0, 0.0, 1.0),
    )


def refuse_unless(body: Fields, only: Mapping[str, Any]) -> None:
    for name, value in only.items():
        if body.get(name) is not None and body[name] != value:
            raise wrong(name, f"can only be {value} here. Leave it out, or take vLLM or SGLang")


def refuse(body: Fields, names: Sequence[str]) -> None:
    for name in names:
        if body.get(name):
            raise wrong(name, "is not to be had here. Leave it out, or take vLLM or SGLang")
