"""The report of the comparison: a table and curves in one HTML file that fetches nothing, and the same table as text."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from ..charts import Chart, Curve, svg
from ..report import STYLE, Row, table
from .arms import ARMS
from .intervals import gained, solve_rate

HEAD = ("", "held-out bugs solved", "against cloned only", "training bugs valid, first → last eighth", "mean s of valid ones", "rollouts a seed")


def rows_of(results: dict[str, Any]) -> list[tuple[str, ...]]:
    seeds = results["seeds"]
    rows = [("cloned only", _percent(*solve_rate(seeds, lambda seed: seed["before"]["bugs"])), "", "", "", "0")]
    for arm in ARMS:
        def after(seed: dict[str, Any], arm: str = arm.name) -> dict[str, list[int]]:
            return seed["arms"][arm]["after"]["bugs"]

        rounds = [seed["arms"][arm.name]["rounds"] for seed in seeds]
        valid = _course(rounds, "valid", "bugs") if arm.breaker == "model" else "fixed bugs"
        rows.append((
            arm.name, _percent(*solve_rate(seeds, after)), _points(*gained(seeds, lambda seed: seed["before"]["bugs"], after)),
            valid, _difficulty(rounds) if arm.breaker == "model" else "", str(round(sum(seed["arms"][arm.name]["rollouts"] for seed in seeds) / len(seeds))),
        ))
    return rows


def text_report(results: dict[str, Any]) -> str:
    """As a table of Markdown."""
    lines = [HEAD, tuple("---" for _ in HEAD), *rows_of(results)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def write_report(results: dict[str, Any], path: Path) -> None:
    seeds, options = results["seeds"], results["options"]
    charts = [chart for arm in ARMS for chart in _charts(arm.name, seeds)]
    path.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Self-play learns?</title><style>{STYLE}</style></head><body><h1>A small model, real sandboxes, bugs that nobody trained on</h1>"
        f"<p>{len(seeds)} seeds, {options['rollouts']} rollouts of the model in each arm, {results['seconds']} s in all. Intervals hold 95 % of bootstrap draws over seeds and bugs; "
        "the second column compares the same bugs before and after.</p>"
        f'{table("Results", HEAD, [Row(row) for row in rows_of(results)])}{_seeds(seeds)}<h2>Courses</h2><div class="curves">{"".join(map(svg, charts))}</div>'
        f"{table('Options', ('option', 'value'), [Row((name, str(value))) for name, value in options.items()])}</body></html>\n",
        encoding="utf-8",
    )


def _seeds(seeds: list[dict[str, Any]]) -> str:
    rows = []
    for seed in seeds:
        measured = [seed["before"], *(seed["arms"][arm.name]["after"] for arm in ARMS)]
        rows.append(Row((str(seed["seed"]), *(f"{one['solved']} of {one['attempts']}" for one in measured))))
    return table("Attempts that solve, seed by seed", ("seed", "cloned only", *(arm.name for arm in ARMS)), rows)


def _charts(arm: str, seeds: list[dict[str, Any]]) -> list[Chart]:
    def curves(value: Any) -> list[Curve]:
        found = [Curve(f"seed {seed['seed']}", [(part["rollouts"], y) for part in seed["arms"][arm]["rounds"] if (y := value(part)) is not None]) for seed in seeds]
        return [curve for curve in found if curve.points]

    def share(part: dict[str, Any], of: str, among: str) -> float | None:
        return part[of] / part[among] if part[among] else None

    charts = [
        Chart(f"{escape(arm)}: bugs that are valid", "share, over rollouts", curves(lambda part: share(part, "valid", "bugs"))),
        Chart(f"{escape(arm)}: mean s of valid bugs", "share of attempts that solve", curves(lambda part: part["mean_s"])),
        Chart(f"{escape(arm)}: attempts that solve, on the bugs it trains with", "share, over rollouts", curves(lambda part: share(part, "solved", "attempts"))),
    ]
    return [chart for chart in charts if chart.curves]


def _course(rounds: list[list[dict[str, Any]]], of: str, among: str) -> str:
    """Of all seeds together, at the beginning and at the end."""
    def part(at: int) -> str:
        total = sum(one[at][among] for one in rounds)
        return f"{sum(one[at][of] for one in rounds) / total:.0%}" if total else "–"

    return f"{part(0)} → {part(-1)}"


def _difficulty(rounds: list[list[dict[str, Any]]]) -> str:
    def mean(at: int) -> str:
        found = [one[at]["mean_s"] for one in rounds if one[at]["mean_s"] is not None]
        return f"{sum(found) / len(found):.2f}" if found else "–"

    return f"{mean(0)} → {mean(-1)}"


def _percent(mean: float, low: float, high: float) -> str:
    return f"{mean:.0%} ({low:.0%} to {high:.0%})"


def _points(mean: float, low: float, high: float) -> str:
    return f"{mean * 100:+.0f} points ({low * 100:+.0f} to {high * 100:+.0f})"
