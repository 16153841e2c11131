"""`spar-trainer report <out>`: the curves of a run as one HTML file that fetches nothing, light or dark as its reader has it.

What comes from outside (names of versions, causes, options) is escaped, each at the place where it enters the page.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from .atomic import write_file
from .charts import Chart, Curve, svg
from .errors import TrainerError
from .metrics import read_metrics

REPORT = "report.html"
CONFIG = "config.json"
CURVES: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("Reward", "mean of a rollout", [("breaker", "reward/breaker"), ("solver", "reward/solver")]),
    ("Solved and valid", "share", [("attempts solved", "solve_rate"), ("bugs valid", "validity_rate")]),
    ("Loss", "sum over tokens, as weighted", [("loss", "loss")]),
    ("Entropy", "nats a token", [("entropy", "entropy")]),
    ("Mismatch of sampler and trainer", "KL a token", [("k3", "mismatch_kl")]),
    ("KL to the reference", "a token", [("kl", "policy_kl")]),
    ("Age of what was trained on", "policy steps", [("breaker", "staleness/breaker"), ("solver", "staleness/solver")]),
    ("Clipped tokens", "share", [("clipped", "clip_fraction")]),
    ("Norm of the gradient", "before it is scaled down", [("norm", "grad_norm")]),
    ("Learning rate", "", [("rate", "learning_rate")]),
    ("Critic's loss", "", [("value loss", "value_loss")]),
    ("Speed", "tokens/s through the model", [("tokens/s", "tokens_per_s")]),
    ("Length of a rollout", "sampled tokens", [("breaker", "rollout_tokens/breaker"), ("solver", "rollout_tokens/solver")]),
    ("Groups that wait", "", [("groups", "groups_waiting")]),
    ("Seconds of a step", "", [(phase, f"seconds/{phase}") for phase in ("wait", "learn", "checkpoint", "publish")]),
]

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c1f24; --faint: #6b7280; --line: #e2e5ea; --c0: #2563eb; --c1: #d9480f; --c2: #2b8a3e; --c3: #9c36b5 }
@media (prefers-color-scheme: dark) { :root { --ground: #15181d; --ink: #e6e8eb; --faint: #98a1ad; --line: #2e343d; --c0: #74a9ff; --c1: #ff9566; --c2: #69db7c; --c3: #da77f2 } }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem } p, td, th { overflow-wrap: anywhere }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1.2rem }
figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: .7rem } figcaption { font-weight: 600 }
figcaption span, .faint { color: var(--faint); font-weight: 400 } svg { width: 100%; height: auto; display: block }
svg text { fill: var(--faint); font-size: 11px } svg .axis { stroke: var(--line) } svg polyline { fill: none; stroke-width: 1.8 }
.c0 { stroke: var(--c0); fill: var(--c0) } .c1 { stroke: var(--c1); fill: var(--c1) } .c2 { stroke: var(--c2); fill: var(--c2) } .c3 { stroke: var(--c3); fill: var(--c3) }
table { border-collapse: collapse } td, th { border-bottom: 1px solid var(--line); padding: .2rem .8rem .2rem 0; text-align: left } td.n { text-align: right; font-variant-numeric: tabular-nums }
"""


@dataclass(frozen=True)
class Row:
    cells: tuple[str, ...]

    def html(self) -> str:
        return "<tr>" + "".join(f'<td class="{"n" if cell.isdecimal() else ""}">{escape(cell)}</td>' for cell in self.cells) + "</tr>"


def main(out: Path) -> Path:
    """Writes the report. Raises TrainerError REPORT_NO_METRICS."""
    lines = read_metrics(out)
    if not lines:
        raise TrainerError("REPORT_NO_METRICS", f"Cannot report on {out}: there is no step in its metrics.jsonl; name the --out of a run that has made one")
    file = out / REPORT
    write_file(file, page(out.name, lines, read_config(out)).encode("utf-8", "replace"))
    return file


def read_config(out: Path) -> dict[str, Any]:
    try:
        value = json.loads((out / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def page(name: str, lines: list[dict[str, Any]], config: dict[str, Any]) -> str:
    last = lines[-1]
    skipped = sum(line.get("skipped") is not None for line in lines)
    charts = [chart for chart in (chart_of(title, unit, curves, lines) for title, unit, curves in CURVES) if chart is not None]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(name)}</title><style>{STYLE}</style></head><body><h1>{escape(name)}</h1>"
        f"<p>{len(lines)} steps, the last is {escape(str(last['step']))}; {skipped} skipped.</p>"
        f'<div class="curves">{"".join(svg(chart) for chart in charts)}</div>'
        f"{dropped_table(last)}{version_table(last)}{options_table(config)}</body></html>\n"
    )


def chart_of(title: str, unit: str, curves: list[tuple[str, str]], lines: list[dict[str, Any]]) -> Chart | None:
    """None: nothing of it was measured, or it was zero all the time."""
    found = [Curve(label, points(lines, path)) for label, path in curves]
    drawn = [curve for curve in found if any(y != 0 for _, y in curve.points)]
    return Chart(title, unit, drawn) if drawn else None


def points(lines: list[dict[str, Any]], path: str) -> list[tuple[int, float]]:
    found = []
    for line in lines:
        value: Any = line
        for key in path.split("/"):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append((line["step"], float(value)))
    return found


def dropped_table(last: dict[str, Any]) -> str:
    rows = [Row(tuple(str(cell) for cell in row)) for row in last.get("dropped_rows") or [] if isinstance(row, list)]
    return table("Dropped samples", ("cause", "role", "sampled tokens", "samples"), rows)


def version_table(last: dict[str, Any]) -> str:
    versions = last.get("mismatch_by_version") or {}
    rows = [Row((version, str(one.get("tokens")), f"{one.get('k1'):.3g}", f"{one.get('k3'):.3g}")) for version, one in versions.items()]
    return table("Mismatch by version, last step", ("version", "tokens", "k1", "k3"), rows)


def options_table(config: dict[str, Any]) -> str:
    return table("Options", ("option", "value"), [Row((key, json.dumps(value, ensure_ascii=False))) for key, value in config.items()])


def table(title: str, head: tuple[str, ...], rows: list[Row]) -> str:
    if not rows:
        return ""
    columns = "".join(f"<th>{escape(column)}</th>" for column in head)
    return f"<h2>{escape(title)}</h2><table><tr>{columns}</tr>{''.join(row.html() for row in rows)}</table>"
