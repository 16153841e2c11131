"""Goal: packing changes nothing but the shape. Method: properties over random segments, and one small model whose loss and gradient
are the same in every packing, and those of finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spar_trainer.batch import MicroBatch, TrainSegment, pack
from spar_trainer.errors import TrainerError
from spar_trainer.losses import logprobs_from_hidden, policy_loss, token_weights

torch.set_num_threads(1)


def train_segment(sample_id: str, mask: list[int], start: int = 10, weight: float = 0.5, advantage: np.ndarray | float = 1.0) -> TrainSegment:
    """Its token ids count up from `start`, its logprobs down from −start."""
    n = len(mask)
    return TrainSegment(
        sample_id, np.arange(start, start + n, dtype=np.int32), np.array(mask, np.uint8), -np.arange(start, start + n, dtype=np.float32),
        (("step-1", n - n // 2), ("step-2", n // 2)), advantage, weight, np.arange(n, dtype=np.float32), np.arange(n, dtype=np.float32) / 2,
    )


def test_a_packed_row_by_hand() -> None:
    first, second = train_segment("a", [0, 1, 0, 1, 0], 10), train_segment("b", [0, 0, 1], 30, 0.25, np.array([9, 9, -2], np.float32))
    [batch] = pack([second, first], 8)
    assert batch.input_ids.tolist() == [[10, 11, 12, 30, 31]], "what follows the last sampled token is left out"
    assert batch.targets.tolist() == [[11, 12, 13, 31, 32]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 0, 1]]
    assert batch.segment_ids.tolist() == [[1, 1, 1, 0, 0]]
    assert batch.loss_mask.tolist() == [[True, False, True, False, True]]
    assert batch.behaviour_logprobs.tolist() == [[-11, 0, -13, 0, -32]]
    assert batch.advantages.tolist() == [[1, 0, 1, 0, -2]]
    assert batch.weights.tolist() == [[0.5, 0, 0.5, 0, 0.25]]
    assert batch.returns.tolist() == [[1, 0, 3, 0, 2]] and batch.old_values.tolist() == [[0.5, 0, 1.5, 0, 1]]
    assert (batch.versions.tolist(), batch.version_names) == ([[0, -1, 1, -1, 1]], ("step-1", "step-2"))
    assert batch.tokens == 5 and batch.attention_mask.tolist() == [[1] * 5]
    spread = batch.spread(torch.arange(5.0)[None] + 100, [second, first])
    assert {index: array.tolist() for index, array in spread.items()} == {1: [0, 100, 0, 102, 0], 0: [0, 0, 104]}


def test_padded_rows_by_hand() -> None:
    [batch] = pack([train_segment("b", [0, 0, 1], 30), train_segment("a", [0, 1, 0, 1, 0], 10)], 6, form="padded")
    assert batch.input_ids.tolist() == [[10, 11, 12], [30, 31, 0]]
    assert batch.segment_ids.tolist() == [[1, 1, 1], [0, 0, -1]] and batch.attention_mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch.position_ids.tolist() == [[0, 1, 2], [0, 1, 0]]
    assert batch.versions.tolist() == [[0, -1, 1], [-1, 1, -1]] and batch.tokens == 5
    assert batch.to("cpu").version_names == batch.version_names


def test_what_does_not_fit_is_alone_or_refused() -> None:
    segments = [train_segment("short", [0, 1]), train_segment("long", [0] * 9 + [1])]
    assert [batch.tokens for batch in pack(segments, 4)] == [9, 1]
    with pytest.raises(TrainerError, match="'long': its 9 tokens are more than the budget of 4") as caught:
        pack(segments, 4, too_long="refuse")
    assert caught.value.code == "BATCH_SEGMENT_TOO_LONG"
    with pytest.raises(TrainerError) as caught:
        pack(segments, 0)
    assert caught.value.code == "BATCH_BUDGET"


def test_first_fit_longest_first_by_hand() -> None:
    segments = [train_segment(f"s{length}", [0] * length + [1]) for length in (2, 5, 4, 2, 3)]
    assert [[place.length for place in batch.places] for batch in pack(segments, 8)] == [[5, 3], [4, 2, 2]]


masks = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=30).map(lambda tail: [0, *tail]), max_size=25)


@settings(max_examples=150, deadline=None)
@given(masks=masks, budget=st.integers(1, 80), form=st.sampled_from(["packed", "padded"]))
def test_no_sampled_token_is_lost_or_stands_twice_and_the_budget_holds(masks: list[list[int]], budget: int, form: str) -> None:
    segments = [train_segment(f"s{index}", mask, 100 * index) for index, mask in enumerate(masks)]
    batches = pack(segments, budget, form=form)
    seen: list[tuple[int, int]] = []
    for batch in batches:
        rows, width = batch.input_ids.shape
        assert rows * width <= budget or len(batch.places) == 1
        assert form == "padded" or rows == 1
        for row, t in batch.loss_mask.nonzero().tolist():
            index = int(batch.segment_ids[row, t])
            assert batch.input_ids[row, t] + 1 == batch.targets[row, t] == 100 * index + batch.position_ids[row, t] + 1
            assert batch.behaviour_logprobs[row, t] == -batch.targets[row, t]
            seen.append((index, int(batch.targets[row, t])))
        assert (batch.input_ids[batch.segment_ids >= 0].numel(), int(batch.attention_mask.sum())) == (batch.tokens, batch.tokens)
    assert sorted(seen) == [(index, 100 * index + t) for index, mask in enumerate(masks) for t, drawn in enumerate(mask) if drawn]
    if form == "packed":
        fed = [segment.fed for segment in segments]
        assert sum(sum(place.length for place in batch.places) * 2 <= budget for batch in batches) <= 1, f"two half-empty rows: {fed}"


class Recurrent(torch.nn.Module):
    """A small causal model in float64 that does not cross from one segment to the next: a mean over all tokens so far of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = torch.nn.Embedding(64, 6, dtype=torch.float64)
        self.head = torch.nn.Linear(6, 64, bias=False, dtype=torch.float64)

    def forward(self, batch: MicroBatch) -> Tensor:
        ids = torch.where(batch.segment_ids >= 0, batch.segment_ids, -1)
        causal = torch.ones(ids.shape[1], ids.shape[1]).tril().bool()
        seen = (causal & (ids[:, :, None] == ids[:, None, :])).double()
        hidden = torch.tanh(seen @ self.embedding(batch.input_ids) / seen.sum(-1, keepdim=True))
        return logprobs_from_hidden(hidden, self.head, batch.targets, chunk=7)[0]


def rollouts() -> list[TrainSegment]:
    """Three rollouts, the first of two segments that share its advantage and its weight."""
    draw = np.random.default_rng(0)
    masks = [[[0, 0, 1, 1, 0, 1], [0, 1, 1]], [[0, 1, 0, 0, 1, 1, 1, 1, 0]], [[0, 0, 0, 1]]]
    weights = token_weights("sequence_mean", [sum(map(sum, rollout)) for rollout in masks], 100)
    found = []
    for index, (rollout, weight, advantage) in enumerate(zip(masks, weights, (0.7, -1.1, 0.4))):
        for mask in rollout:
            n = len(mask)
            found.append(TrainSegment(
                f"s{index}", draw.integers(0, 64, n).astype(np.int32), np.array(mask, np.uint8), draw.uniform(-5, -3.5, n).astype(np.float32),
                (("step-1", n),), advantage, weight,
            ))
    return found


def total_loss(model: Recurrent, batches: list[MicroBatch]) -> Tensor:
    parts = [policy_loss(model(batch), batch.behaviour_logprobs, batch.advantages, batch.loss_mask, batch.weights).loss for batch in batches]
    return torch.stack(parts).sum()


def test_every_packing_has_the_same_loss_and_gradient() -> None:
    segments, model = rollouts(), Recurrent()
    found = []
    for budget, form in ((1, "packed"), (9, "packed"), (100, "packed"), (12, "padded"), (100, "padded")):
        model.zero_grad()
        batches = pack(segments, budget, form=form)
        loss = total_loss(model, batches)
        loss.backward()
        found.append((len(batches), float(loss.detach()), model.embedding.weight.grad.clone(), model.head.weight.grad.clone()))
    assert [count for count, *_ in found] == [4, 2, 1, 3, 1]
    for _, loss, *gradients in found[1:]:
        assert loss == pytest.approx(found[0][1], rel=1e-6)
        for gradient, expected in zip(gradients, found[0][2:]):
            torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-12)


def test_the_gradient_of_the_whole_chain_is_that_of_finite_differences() -> None:
    segments, model = rollouts(), Recurrent()
    batches = pack(segments, 9)
    total_loss(model, batches).backward()
    for parameter in model.parameters():
        rows = parameter.grad.abs().sum(1).topk(3).indices.tolist()
        for row in rows:
            with torch.no_grad():
                losses = []
                for sign in (1, -1):
                    parameter[row, 2] += sign * 1e-6
                    losses.append(float(total_loss(model, batches)))
                    parameter[row, 2] -= sign * 1e-6
            assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(float(parameter.grad[row, 2]), rel=1e-5, abs=1e-9)
