"""What a run says of itself: lines that are JSON whatever happened, events, and a report that shows text from outside as text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from spar_trainer.charts import POINTS_MAX, Chart, Curve, svg
from spar_trainer.errors import TrainerError
from spar_trainer.metrics import MetricsLog, read_metrics
from spar_trainer.report import main, page

HOSTILE = '<script>alert(1)</script>"&\'\ud800'


def line(step: int, **more: object) -> dict[str, object]:
    return {
        "step": step, "loss": 0.5 / step, "reward": {"breaker": None, "solver": -1 + step * 0.1}, "solve_rate": 0.1 * step, "skipped": None,
        "dropped_rows": [["stale", "solver", "1-256", 3]], "mismatch_by_version": {"step-1": {"tokens": 5, "k1": 0.1, "k3": 0.2}}, **more,
    }  # fmt: skip


def test_a_run_that_goes_on_cuts_what_lies_after_its_checkpoint(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0)
    for step in (1, 2, 3):
        log.write(line(step, grad_norm=float("nan")))
    log.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    log = MetricsLog(tmp_path, 2)
    log.write(line(3, loss=9.0))
    log.close()
    assert [(one["step"], one["loss"]) for one in read_metrics(tmp_path)] == [(1, 0.5), (2, 0.25), (3, 9.0)]
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])["grad_norm"] is None


def test_tensorboard_reads_the_same_numbers(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = MetricsLog(tmp_path, 0)
    for step in (1, 2):
        log.write(line(step))
    log.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(one.step, round(one.value, 5)) for one in events.Scalars("reward/solver")] == [(1, -0.9), (2, -0.8)]
    assert not any("step-1" in tag for tag in events.Tags()["scalars"])


class Outside(HTMLParser):
    """What a page would run or fetch, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [tag] if tag in ("script", "link", "img", "iframe") else []
        self.found += [name for name, _ in attrs if name in ("src", "href") or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_shows_text_from_outside_as_text_and_fetches_nothing(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0)
    for step in (1, 2, 3):
        log.write(line(step, dropped_rows=[[HOSTILE, "solver", "0", 1]], mismatch_by_version={HOSTILE: {"tokens": 1, "k1": 0.0, "k3": 0.0}}))
    log.close()
    (tmp_path / "config.json").write_text(json.dumps({HOSTILE: HOSTILE}))
    html = main(tmp_path).read_text("utf-8")
    outside = Outside()
    outside.feed(html)
    assert outside.found == [] and outside.text.count("<script>alert(1)</script>") == 4
    assert "prefers-color-scheme: dark" in html and "url(" not in html and "http" not in html
    assert html.count("<polyline") == 3, "loss, the solver's reward and the solve rate: what was not measured has no curve"
    for figure in re.findall(r"<svg.*?</svg>", html):
        ElementTree.fromstring(figure)


def test_there_is_no_report_without_a_step(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="there is no step"):
        main(tmp_path)


def test_one_step_and_very_many_have_a_curve_too() -> None:
    assert "<polyline" in page("r", [line(1)], {})
    many = svg(Chart("t", "u", [Curve("c", [(step, float(step)) for step in range(10_000)])]))
    assert many.count(",") <= POINTS_MAX + 5
    assert "nan" not in svg(Chart("t", "u", [Curve("c", [(5, 2.0)])]))
