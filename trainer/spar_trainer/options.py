"""Options as fields of a frozen dataclass: each has a kind, which says its rule, and a help text with its unit.

They are resolved once, at the edge: flag, else TOML file, else default. A wrong value is refused by option, value and rule; the table
of a README and the text of `--help` are made from the same fields.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .errors import TrainerError

Config = TypeVar("Config")
REQUIRED: Any = object()
"""The default of an option that has none."""


@dataclass(frozen=True)
class Kind:
    rule: str
    parse: Callable[[Any], Any]
    """Of a flag's text or a file's value; raises ValueError or TypeError where the rule is broken."""


@dataclass(frozen=True)
class ByRole:
    """A number for each role."""

    breaker: int
    solver: int

    def __str__(self) -> str:
        return f"breaker={self.breaker},solver={self.solver}"


def option(default: Any, kind: Kind, help: str) -> Any:
    return dataclasses.field(default=default, metadata={"kind": kind, "help": help})


def _check(holds: bool) -> None:
    if not holds:
        raise ValueError


def whole(least: int, most: int | None = None) -> Kind:
    def parse(value: Any) -> int:
        _check(not isinstance(value, (bool, float)))
        number = int(value)
        _check(number >= least and (most is None or number <= most))
        return number

    return Kind(f"a whole number ≥ {least}" if most is None else f"a whole number, {least} to {most}", parse)


def number(least: float = 0.0, most: float | None = None, *, above: bool = False) -> Kind:
    """`above`: greater than `least`, not equal to it."""

    def parse(value: Any) -> float:
        _check(not isinstance(value, bool))
        real = float(value)
        _check(math.isfinite(real) and (real > least or (real == least and not above)) and (most is None or real <= most))
        return real

    return Kind(f"a number {'>' if above else '≥'} {least:g}" + ("" if most is None else f" and ≤ {most:g}"), parse)


def off_or_above(least: float) -> Kind:
    def parse(value: Any) -> float:
        real = number().parse(value)
        _check(real == 0 or real > least)
        return real

    return Kind(f"0, or a number > {least:g}", parse)


def one_of(*words: str) -> Kind:
    def parse(value: Any) -> str:
        _check(value in words)
        return str(value)

    return Kind("one of " + ", ".join(words), parse)


def switch() -> Kind:
    def parse(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        _check(value in ("yes", "no"))
        return value == "yes"

    return Kind("yes or no (in a file true or false)", parse)


def text(rule: str = "a text that is not empty", *, may_be_empty: bool = False) -> Kind:
    def parse(value: Any) -> str:
        _check(isinstance(value, str) and (may_be_empty or value != ""))
        return value

    return Kind(rule, parse)


def texts(rule: str) -> Kind:
    """One or more; of a flag with commas between them."""

    def parse(value: Any) -> tuple[str, ...]:
        parts = value.split(",") if isinstance(value, str) else list(value)
        _check(len(parts) > 0 and all(isinstance(part, str) and part != "" for part in parts))
        return tuple(parts)

    return Kind(rule, parse)


def by_role(each: Kind, default: ByRole) -> Kind:
    """One number for both roles, or `breaker=24,solver=8`; a role that is not named keeps its default."""

    def parse(value: Any) -> ByRole:
        if isinstance(value, str) and "=" in value:
            value = dict(part.split("=", 1) for part in value.split(","))
        if not isinstance(value, Mapping):
            return ByRole(each.parse(value), each.parse(value))
        _check(len(value) > 0 and set(value) <= {"breaker", "solver"})
        return dataclasses.replace(default, **{role: each.parse(given) for role, given in value.items()})

    return Kind(f"{each.rule}, or breaker=…,solver=…", parse)


def flag_name(name: str) -> str:
    return "--" + name.replace("_", "-")


def resolve(config: type[Config], flags: Mapping[str, Any], file: Path | None = None) -> Config:
    """`flags` by field name, those that were given. Raises TrainerError."""
    fields = {item.name: item for item in dataclasses.fields(config)}  # type: ignore[arg-type]
    from_file = read_toml(file) if file is not None else {}
    values: dict[str, Any] = {}
    for where, given in ((f"{file}", from_file), ("the command line", flags)):
        for name, value in given.items():
            field = fields.get(name.replace("-", "_"))
            if field is None:
                raise TrainerError("CONFIG_UNKNOWN_OPTION", unknown(name, where, list(fields)))
            values[field.name] = parse_value(field, value)
    for name, field in fields.items():
        if name not in values:
            if field.default is REQUIRED:
                raise TrainerError("CONFIG_MISSING_OPTION", f"Option {flag_name(name)} is missing: {field.metadata['help']}")
            values[name] = field.default
    return config(**values)


def parse_value(field: dataclasses.Field[Any], value: Any) -> Any:
    kind: Kind = field.metadata["kind"]
    try:
        return kind.parse(value)
    except (ValueError, TypeError):
        raise TrainerError("CONFIG_WRONG_VALUE", f"Option {flag_name(field.name)} cannot be {value!r}: it is {kind.rule}") from None


def unknown(name: str, where: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name.replace("-", "_"), names, n=1)
    return f"There is no option {name!r}, which {where} gives" + (f": did you mean {flag_name(near[0])}?" if near else "")


def read_toml(file: Path) -> dict[str, Any]:
    try:
        import tomllib
    except ModuleNotFoundError:
        raise TrainerError("CONFIG_FILE", f"Cannot read {file}: TOML files need Python 3.11; give the options as flags") from None
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise TrainerError("CONFIG_FILE", f"Cannot read the options of {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainerError("CONFIG_FILE", f"{file} is no TOML: {error}") from None


def shown(value: Any) -> str:
    """A default, as it would be written as a flag."""
    if value is REQUIRED:
        return "required"
    if value in ("", ()):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def table(config: type[Any]) -> list[tuple[str, str, str, str]]:
    """(flag, default, rule, help) of each option."""
    return [
        (flag_name(item.name), shown(item.default), item.metadata["kind"].rule, item.metadata["help"]) for item in dataclasses.fields(config)
    ]


def as_json(config: Any) -> dict[str, Any]:
    """JSON-shaped, to be kept with what was made by it."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(config).items()
    }
