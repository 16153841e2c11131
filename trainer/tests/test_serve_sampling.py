"""Goal: tokens are drawn from the distribution whose logprobs are said. Method: hand-worked distributions, and numbers spread evenly
over [0, 1), which have to fall on each token as often as its probability says."""

from __future__ import annotations

import math

import numpy as np
import torch

from spar_trainer.serve.key_values import KeyValues, KvShape, PrefixStore
from spar_trainer.serve.sampling import Sampling, draw, log_distribution, uniform


def _probabilities(logits: list[float], sampling: Sampling) -> list[float]:
    return log_distribution(torch.tensor([logits]), [sampling])[0].exp().tolist()


def test_the_distribution_is_the_softmax_at_the_temperature() -> None:
    logits = [math.log(value) for value in (0.5, 0.25, 0.25)]
    assert np.allclose(_probabilities(logits, Sampling(0)), [0.5, 0.25, 0.25])
    # At 1/2 the probabilities are squared: 4 : 1 : 1.
    assert np.allclose(_probabilities(logits, Sampling(0, temperature=0.5)), [4 / 6, 1 / 6, 1 / 6])


def test_filters_leave_out_and_renormalise() -> None:
    logits = [math.log(value) for value in (0.1, 0.4, 0.2, 0.3)]
    assert np.allclose(_probabilities(logits, Sampling(0, top_k=2)), [0, 4 / 7, 0, 3 / 7])
    # 0.4 and 0.3 reach 0.6; the token that crosses the bound stays.
    assert np.allclose(_probabilities(logits, Sampling(0, top_p=0.6)), [0, 4 / 7, 0, 3 / 7])
    assert np.allclose(_probabilities(logits, Sampling(0, top_p=0.71)), [0, 4 / 9, 2 / 9, 3 / 9])
    assert np.allclose(_probabilities(logits, Sampling(0, min_p=0.6)), [0, 4 / 7, 0, 3 / 7])
    assert np.allclose(_probabilities(logits, Sampling(0, top_p=1e-9)), [0, 1, 0, 0])
    assert np.allclose(_probabilities(logits, Sampling(0, top_k=9)), [0.1, 0.4, 0.2, 0.3])


def test_each_token_is_drawn_as_often_as_its_probability_says() -> None:
    torch.manual_seed(0)
    count = 20_000
    logits = torch.randn(50)
    for sampling in (Sampling(0), Sampling(0, temperature=1.7), Sampling(0, top_p=0.8), Sampling(0, top_k=7, temperature=0.6)):
        even = [(index + 0.5) / count for index in range(count)]
        ids, logprobs = draw(logits.expand(count, 50), [sampling] * count, even)
        expected = log_distribution(logits.unsqueeze(0), [sampling])[0]
        assert np.allclose(np.bincount(ids, minlength=50) / count, expected.exp().numpy(), atol=2 / count)
        assert np.allclose(logprobs, expected[ids].numpy())


def test_the_ends_of_the_range_draw_no_token_that_was_left_out() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, -5.0]] * 2)
    ids, _ = draw(logits, [Sampling(0, top_k=2)] * 2, [0.0, 1 - 2**-53])
    assert ids == [1, 2]


def test_a_temperature_of_zero_takes_the_likeliest_and_leaves_other_rows_alone() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [0.0, 3.0, 1.0]])
    ids, logprobs = draw(logits, [Sampling(0, temperature=0), Sampling(0)], [0.001, 0.001])
    assert ids == [1, 0]
    assert np.allclose(logprobs, torch.log_softmax(logits[0], -1)[[1, 0]].numpy())


def test_numbers_of_a_seed_are_its_own_and_even() -> None:
    numbers = [uniform(7, index) for index in range(20_000)]
    assert numbers[:3] == [uniform(7, index) for index in range(3)]
    assert numbers[:3] != [uniform(8, index) for index in range(3)]
    assert abs(np.mean(numbers) - 0.5) < 0.01
    assert np.abs(np.histogram(numbers, bins=20, range=(0, 1))[0] - 1000).max() < 150
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.03


def test_probabilities_that_are_no_numbers_show_in_the_logprob() -> None:
    _, logprobs = draw(torch.tensor([[math.nan, 1.0], [0.0, 1.0]]), [Sampling(0)] * 2, [0.5, 0.5])
    assert math.isnan(logprobs[0])
    assert math.isfinite(logprobs[1])


def _kept(tokens: int) -> torch.Tensor:
    return torch.zeros(2, 1, 1, tokens, 4)


def test_finished_turns_are_found_by_their_tokens_and_the_oldest_go_first() -> None:
    store = PrefixStore(bytes_max=3 * 20 * 2 * 4 * 4)
    turns = [np.arange(start, start + 20, dtype=np.int32) for start in (0, 100, 200, 300)]
    for turn in turns[:3]:
        store.keep(turn, _kept(20))
    found = store.find(np.concatenate([turns[0][:12], turns[1]]).astype(np.int32))
    assert found is not None
    assert found[1] == 12
    store.keep(turns[3], _kept(20))
    assert store.find(turns[1]) is None, "the least recently used has gone"
    assert store.find(turns[0]) is not None
    store.keep(np.concatenate([turns[2], turns[2][:5]]).astype(np.int32), _kept(25))
    assert len(store) == 2, "a turn that goes on from another replaces it, and one had to go"
    assert store.bytes <= 3 * 20 * 2 * 4 * 4
    store.keep(np.arange(500, dtype=np.int32), _kept(500))
    assert len(store) == 2, "what is larger than the store is not kept"
    store.clear()
    assert store.bytes == 0


def test_rows_grow_and_keep_what_they_hold() -> None:
    kv = KeyValues(KvShape(2, 3, 4), rows=2, context_max=1000, dtype=torch.float32, device=torch.device("cpu"))
    kept = torch.randn(2, 2, 3, 10, 4)
    kv.write(1, kept, 10)
    kv.reserve(700)
    assert kv.keys.shape == (2, 2, 3, 700, 4)
    assert torch.equal(kv.read(1, 10), kept)
    kv.reserve(701)
    assert kv.keys.shape[3] == 1000, "never more than the context"
