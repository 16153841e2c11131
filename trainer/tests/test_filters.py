"""What is left out of the loss, in which order causes are asked for, and how it is counted."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from spar_trainer.filters import DropCounter, FilterOptions, drop_cause, is_zero_advantage, length_bucket, oldest_step, version_step

from .samples import make_sample, make_segment


@pytest.mark.parametrize("version, step", [
    ("step-0", 0), ("step-12", 12), ("step-012", None), ("step--1", None), ("step-", None), ("step-1 ", None), ("step-1\n", None), ("step-٣", None),
    ("step-" + "9" * 16, None), ("unknown", None), ("", None), ("1", None),
])
def test_a_version_of_the_trainer_is_step_and_a_number(version: str, step: int | None) -> None:
    assert version_step(version) == step


def test_the_oldest_version_that_drew_a_token_counts() -> None:
    given = make_segment([0, 0, 1, 0, 1], versions=(("step-1", 2), ("step-7", 2), ("step-9", 1)))
    assert oldest_step(make_sample(segments=(given, make_segment([0, 1])))) == 5
    assert oldest_step(make_sample(segments=(given,))) == 7, "step-1 stands at tokens that were given"
    assert oldest_step(make_sample(segments=(given, make_segment([0, 1], versions=(("other", 2),))))) is None
    assert oldest_step(make_sample(segments=())) is None


GIBBERISH = FilterOptions(vocabulary=150_000)
FLOOR = -math.log(150_000) - 2


@pytest.mark.parametrize("cause, sample, step, options", [
    (None, {}, 5, FilterOptions()),
    ("no_reward", {"reward": None, "untrainable": "why"}, 5, FilterOptions()),
    ("untrainable", {"untrainable": "why", "segments": ()}, 5, FilterOptions()),
    ("unknown_version", {"segments": (make_segment([0, 1], versions=(("main", 2),)),)}, 5, FilterOptions()),
    ("unknown_version", {}, 4, FilterOptions()),
    (None, {}, 13, FilterOptions()),
    ("stale", {}, 14, FilterOptions()),
    (None, {"role": "breaker"}, 29, FilterOptions()),
    ("stale", {"role": "breaker"}, 30, FilterOptions()),
    (None, {}, 5, FilterOptions(segment_tokens_max=3)),
    ("too_long", {}, 5, FilterOptions(segment_tokens_max=2)),
    ("gibberish", {"segments": (make_segment([0, 1], token=100_001, logprob=FLOOR - 0.01),)}, 5, GIBBERISH),
    (None, {"segments": (make_segment([0, 1], token=100_001, logprob=FLOOR + 0.01),)}, 5, GIBBERISH),
    (None, {"segments": (make_segment([0, 1], token=100_000, logprob=FLOOR - 0.01),)}, 5, GIBBERISH),
    (None, {"segments": (make_segment([0, 1], token=100_001, logprob=FLOOR - 0.01),)}, 5, FilterOptions()),
])
def test_the_first_cause_that_holds(cause: str | None, sample: dict[str, Any], step: int, options: FilterOptions) -> None:
    assert drop_cause(make_sample(**sample), step, options) == cause


def test_equal_rewards_have_no_advantage_though_their_mean_is_rounded() -> None:
    assert is_zero_advantage(0.1 + 0.2 - 0.3) and is_zero_advantage(0) and not is_zero_advantage(-1e-6)


def test_lengths_fall_into_buckets() -> None:
    assert [length_bucket(length) for length in (0, 1, 256, 257, 65_536, 65_537)] == ["0", "1-256", "1-256", "257-1024", "16385-65536", "65537+"]


def test_drops_are_counted_and_outlive_a_checkpoint() -> None:
    counter = DropCounter()
    for cause, role, sampled in (("stale", "solver", 10), ("stale", "solver", 20), ("stale", "breaker", 300), ("SAMPLE_LINE", None, 0)):
        counter.add(cause, role, sampled)
    assert counter.by_cause() == {"SAMPLE_LINE": 1, "stale": 3}
    restored = DropCounter()
    restored.load(json.loads(json.dumps(counter.state())))
    restored.add("stale", "breaker", 300)
    assert restored.rows() == [("SAMPLE_LINE", "unknown", "0", 1), ("stale", "breaker", "257-1024", 2), ("stale", "solver", "1-256", 2)]
