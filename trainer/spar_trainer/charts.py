"""Curves as inline SVG: a polyline each, a dot at its last point, four lines of a grid, a legend. No script."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 8, 22
POINTS_MAX = 600
"""Of one curve: more are averaged, neighbour with neighbour."""
GRID = 4


@dataclass(frozen=True)
class Curve:
    label: str
    points: list[tuple[int, float]]
    """(step, value), by step"""


@dataclass(frozen=True)
class Chart:
    title: str
    unit: str
    curves: list[Curve]


def svg(chart: Chart) -> str:
    """A figure with its caption. There is at least one point."""
    curves = [Curve(curve.label, thinned(curve.points)) for curve in chart.curves if curve.points]
    xs = [x for curve in curves for x, _ in curve.points]
    low, high = span([y for curve in curves for _, y in curve.points])
    first, last = min(xs), max(max(xs), min(xs) + 1)
    parts = [grid_line(low, high, index) for index in range(GRID + 1)]
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 5}">{first}</text><text x="{WIDTH - RIGHT}" y="{HEIGHT - 5}" text-anchor="end">step {max(xs)}</text>')
    for index, curve in enumerate(curves):
        places = [(across(x, first, last), up(y, low, high)) for x, y in curve.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="c{index % 4}" style="fill:none" points="{line}"/><circle class="c{index % 4}" cx="{places[-1][0]:.1f}" cy="{places[-1][1]:.1f}" r="2.5"/>')
    legend = ", ".join(f"{escape(curve.label)} {curve.points[-1][1]:.4g}" for curve in curves)
    keys = "".join(f'<tspan class="c{index % 4}" style="stroke:none" dx="{8 if index else 0}">{escape(curve.label)}</tspan>' for index, curve in enumerate(curves))
    parts.append(f'<text x="{LEFT + 6}" y="{TOP + 12}">{keys}</text>' if len(curves) > 1 else "")
    return (
        f"<figure><figcaption>{escape(chart.title)} <span>{escape(chart.unit)}</span></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)}">{"".join(parts)}</svg>'
        f'<div class="faint">last: {legend}</div></figure>'
    )


def grid_line(low: float, high: float, index: int) -> str:
    value = low + (high - low) * index / GRID
    y = up(value, low, high)
    return f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/><text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>'


def across(x: float, first: float, last: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (x - first) / (last - first)


def up(y: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - low) / (high - low)


def span(values: list[float]) -> tuple[float, float]:
    """A little more than the values take; never nothing."""
    low, high = min(values), max(values)
    room = (high - low) * 0.06 or max(abs(high), 1e-9) * 0.1
    return low - room, high + room


def thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    each = math.ceil(len(points) / POINTS_MAX)
    if each <= 1:
        return points
    parts = [points[at : at + each] for at in range(0, len(points), each)]
    return [(part[-1][0], sum(y for _, y in part) / len(part)) for part in parts]
