"""One optimizer step: what it minimises does not depend on how it is cut up, and what is not finite is never applied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from spar_trainer.advantages import GaeOptions
from spar_trainer.batch import TrainSegment, pack
from spar_trainer.distributed import Ranks
from spar_trainer.learner import Learner, Objective, StepResult, rate_share
from spar_trainer.losses import PolicyLossOptions
from spar_trainer.models import Policy
from spar_trainer.portions import deal
from spar_trainer.steps import with_critic

from .test_models import some_segments
from .tiny_model import llama_config
from .training import one_thread, train_config

ALONE = Ranks(0, 1, torch.device("cpu"))


def learner(objective: Objective = Objective(), *, value_head: bool = False, **options: Any) -> Learner:
    one_thread()
    torch.manual_seed(0)
    policy = Policy(LlamaForCausalLM(llama_config(initializer_range=0.2)), value_head=value_head).train()
    return Learner(policy, None, objective, train_config(**{"warmup_steps": 0, **options}), ALONE)


def weighed(count: int = 6) -> list[TrainSegment]:
    segments = some_segments(count)
    return [replace(one, advantages=(-1.0) ** index, weight=0.01 * (index + 1), logprobs=(one.mask * -5.0).astype(np.float32)) for index, one in enumerate(segments)]


def step(learner: Learner, segments: list[TrainSegment], budget: int = 64) -> StepResult:
    return learner.step(deal(pack(segments, budget, form=learner.policy.form), 1))


def parameters(learner: Learner) -> dict[str, Tensor]:
    return {name: one.detach().clone() for name, one in learner.policy.named_parameters()}


@pytest.mark.parametrize("objective", [Objective(), Objective(kind="clone"), Objective(policy=PolicyLossOptions(importance_cap=2.0), epochs=2)])
def test_micro_batches_add_up_to_the_step(objective: Objective) -> None:
    whole, cut = learner(objective), learner(objective)
    one, many = step(whole, weighed(), 4_096), step(cut, weighed(), 30)
    assert one.micro_batches == 1 and many.micro_batches > 3 and one.tokens == many.tokens
    assert many.loss == pytest.approx(one.loss, rel=1e-5, abs=1e-6) and many.grad_norm == pytest.approx(one.grad_norm, rel=1e-4)
    assert many.entropy == pytest.approx(one.entropy, rel=1e-5)
    after, other = parameters(whole), parameters(cut)
    assert max(float((after[name] - other[name]).abs().max()) for name in after) < 2e-5


def test_more_of_what_was_better_than_its_group_and_less_of_what_was_worse() -> None:
    objective = Objective(policy=PolicyLossOptions(clip_low=1.0, clip_high=100.0))
    taught, segments = learner(objective, learning_rate=1e-4), [replace(one, weight=0.01) for one in weighed()]
    def mean(which: int) -> float:
        with torch.no_grad():
            [batch] = pack([segments[which]], 4_096)
            return float(taught.policy(batch.input_ids, batch.position_ids, None, batch.loss_mask, batch.targets).logprobs.mean())
    before = [mean(index) for index in range(len(segments))]
    step(taught, segments)
    moved = [mean(index) - had for index, had in enumerate(before)]
    assert all((change > 0) == (segments[index].advantages > 0) for index, change in enumerate(moved)), moved


@pytest.mark.parametrize("where", ["advantages", "weight"])
def test_what_is_not_finite_is_never_applied(where: str) -> None:
    taught, segments = learner(), weighed()
    before = parameters(taught)
    result = step(taught, [replace(segments[0], **{where: float("nan") if where == "advantages" else float("inf")}), *segments[1:]])
    assert result.skipped is not None and "nan" in result.skipped or "inf" in str(result.skipped)
    assert all(torch.equal(one, before[name]) for name, one in parameters(taught).items())
    assert all(not state for state in taught.optimizer.state.values())
    assert step(taught, segments).skipped is None
    assert any(not torch.equal(one, before[name]) for name, one in parameters(taught).items())


def test_the_gradient_is_scaled_down_to_its_largest_norm() -> None:
    taught = learner(max_grad_norm=1e-3)
    seen: list[float] = []
    taught.optimizer.register_step_pre_hook(lambda *_: seen.append(float(torch.nn.utils.get_total_norm([one.grad for one in taught.policy.parameters()]))))
    assert step(taught, weighed()).grad_norm > 1e-2
    assert seen == [pytest.approx(1e-3, rel=1e-2)]


def test_the_learning_rate_grows_over_the_warm_up_and_may_fall_again() -> None:
    def shares(updates: int, **options: Any) -> list[float]:
        config = train_config(**options)
        return [rate_share(update, config) for update in range(updates)]

    assert shares(6, warmup_steps=4) == [0.25, 0.5, 0.75, 1, 1, 1] and shares(1, warmup_steps=0) == [1]
    assert shares(6, warmup_steps=0, decay_steps=4, decay_to=0.2) == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0.2])
    taught = learner(warmup_steps=2, learning_rate=1e-3)
    assert [step(taught, weighed()).learning_rate for _ in range(3)] == [5e-4, 1e-3, 1e-3]


def test_only_matrices_decay() -> None:
    taught = learner(weight_decay=0.1)
    decays = {id(one): group["weight_decay"] for group in taught.optimizer.param_groups for one in group["params"]}
    assert all(decays[id(one)] == (0.1 if one.dim() >= 2 else 0) for one in taught.policy.parameters()) and len(decays) == len(list(taught.policy.parameters()))


def test_the_critic_learns_the_returns_of_tokens() -> None:
    taught = learner(Objective(value_coefficient=1.0, value_clip=None), value_head=True, learning_rate=3e-3)
    segments = [replace(one, advantages=0.0, weight=0.02) for one in weighed()]
    rewards = {one.sample_id: 1.0 if index % 2 else -1.0 for index, one in enumerate(segments)}
    losses = []
    for _ in range(60):
        batches = pack(segments, 4_096)
        values = {index: array for number, at in taught.values(deal(batches, 1)).items() for index, array in batches[number].spread(at, segments).items()}
        aimed = with_critic(segments, values, rewards, GaeOptions())
        losses.append(step(taught, [replace(one, advantages=0.0) for one in aimed], 4_096).value_loss)
    assert losses[-1] < 0.1 * losses[0]


def test_cloning_makes_the_recorded_tokens_likely() -> None:
    taught, segments = learner(Objective(kind="clone"), learning_rate=3e-3), some_segments(3)
    weight = 1 / sum(int(one.mask.sum()) for one in segments)
    losses = [step(taught, [replace(one, weight=weight) for one in segments]).loss for _ in range(60)]
    assert losses[0] > 4 and losses[-1] < 0.5


def test_every_rank_gets_as_many_micro_batches_and_all_of_them_once() -> None:
    batches = pack(some_segments(11), 30)
    portions = deal(batches, 3)
    assert len({len(portion) for portion in portions}) == 1
    counted = [piece for portion in portions for piece in portion if piece.counts]
    assert sorted(piece.index for piece in counted) == list(range(len(batches)))
    assert all(float(piece.batch.weights.abs().sum()) == 0 for portion in portions for piece in portion if not piece.counts)
