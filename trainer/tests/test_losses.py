"""Goal: the losses are those of the field. Method: hand-worked values; references of their own, the formulas that trl
(trl/trainer/grpo_trainer.py) and verl (verl/trainer/ppo/core_algos.py) publish as plain loops in float64 on random inputs, relative
error at most 1e-6; gradients against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from spar_trainer.losses import (
    PolicyLossOptions, kl_estimate, logprobs_from_hidden, logprobs_from_logits, masked_sum, mismatch_kl, policy_loss, token_weights, value_loss,
)

torch.set_num_threads(1)
SEEDS = range(8)
ROWS, LENGTH, MAX_CONTEXT = 4, 12, 50
CLOSE = {"rel": 1e-6, "abs": 1e-12}


@dataclass
class Batch:
    """float64 [4, 12] each; every row is one rollout, what is outside of its mask is NaN."""

    logprobs: Tensor
    behaviour: Tensor
    old: Tensor
    reference: Tensor
    advantages: Tensor
    mask: Tensor

    def rows(self) -> list[list[tuple[float, ...]]]:
        """By rollout, of each sampled token: logprob, behaviour, old, reference, advantage."""
        columns = [column.tolist() for column in (self.logprobs, self.behaviour, self.old, self.reference, self.advantages)]
        return [[tuple(column[row][t] for column in columns) for t in range(LENGTH) if self.mask[row, t]] for row in range(ROWS)]

    def weights(self, aggregation: str) -> Tensor:
        each = token_weights(aggregation, self.mask.sum(1).tolist(), MAX_CONTEXT)
        return torch.tensor(each, dtype=torch.float64)[:, None].expand(ROWS, LENGTH)


def random_batch(seed: int) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    mask = torch.rand(ROWS, LENGTH, generator=draw) < 0.6
    mask[:, 3] = True
    behaviour = -3 * torch.rand(ROWS, LENGTH, generator=draw, dtype=torch.float64)
    near = [behaviour + 0.5 * torch.randn(ROWS, LENGTH, generator=draw, dtype=torch.float64) for _ in range(3)]
    advantages = torch.randn(ROWS, 1, generator=draw, dtype=torch.float64).expand(ROWS, LENGTH)
    return Batch(*(torch.where(mask, one, math.nan) for one in (near[0], behaviour, near[1], near[2], advantages)), mask)


def aggregate(rows: list[list[float]], aggregation: str) -> float:
    """verl agg_loss: token-mean; seq-mean-token-mean; sums over a constant length, mean over sequences. trl's loss types dapo (and bnpo),
    grpo, dr_grpo are the same three."""
    if aggregation == "token_mean":
        return sum(sum(row) for row in rows) / sum(len(row) for row in rows)
    if aggregation == "sequence_mean":
        return sum(sum(row) / len(row) for row in rows) / len(rows)
    return sum(sum(row) for row in rows) / (len(rows) * MAX_CONTEXT)


def clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def verl_token_loss(new: float, before: float, advantage: float, low: float, high: float, dual: float | None) -> float:
    """verl compute_policy_loss: max(−A r, −A clip(r)), and where A < 0 at most −A c."""
    ratio = math.exp(new - before)
    loss = max(-advantage * ratio, -advantage * clip(ratio, 1 - low, 1 + high))
    return min(-advantage * dual, loss) if dual is not None and advantage < 0 else loss


def trl_token_loss(new: float, before: float, advantage: float, low: float, high: float, delta: float | None) -> float:
    """trl GRPOTrainer: −min(min(r, delta) A, clip(r) A)."""
    ratio = math.exp(new - before)
    first = ratio if delta is None else min(ratio, delta)
    return -min(first * advantage, clip(ratio, 1 - low, 1 + high) * advantage)


@pytest.mark.parametrize("reference", [verl_token_loss, trl_token_loss])
@pytest.mark.parametrize("aggregation", ["token_sum", "token_mean", "sequence_mean"])
@pytest.mark.parametrize("dual", [None, 1.5])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_policy_loss_is_verls_and_trls(seed: int, dual: float | None, aggregation: str, reference: Callable[..., float]) -> None:
    batch = random_batch(seed)
    found = policy_loss(batch.logprobs, batch.behaviour, batch.advantages, batch.mask, batch.weights(aggregation), PolicyLossOptions(dual_clip=dual))
    expected = aggregate([[reference(new, behaviour, advantage, 0.2, 0.28, dual) for new, behaviour, _, _, advantage in row] for row in batch.rows()], aggregation)
    assert float(found.loss) == pytest.approx(expected, **CLOSE)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_correction_of_capped_importance_is_trls_and_verls(seed: int) -> None:
    """trl vllm_importance_sampling_cap, verl rollout_is_weights: the token loss to old logprobs × min(exp(old − behaviour), cap)."""
    batch, options = random_batch(seed), PolicyLossOptions(importance_cap=1.2)
    found = policy_loss(batch.logprobs, batch.behaviour, batch.advantages, batch.mask, batch.weights("token_mean"), options, batch.old)
    expected = [
        [verl_token_loss(new, old, advantage, 0.2, 0.28, None) * min(math.exp(old - behaviour), 1.2) for new, behaviour, old, _, advantage in row]
        for row in batch.rows()
    ]
    assert float(found.loss) == pytest.approx(aggregate(expected, "token_mean"), **CLOSE)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_loss_with_kl_is_trls(seed: int) -> None:
    """trl: token loss + β (exp(ref − new) − (ref − new) − 1), then the mean over sequences."""
    batch, weights = random_batch(seed), random_batch(seed).weights("sequence_mean")
    policy = policy_loss(batch.logprobs, batch.behaviour, batch.advantages, batch.mask, weights)
    kl = kl_estimate(batch.logprobs, batch.reference, batch.mask, "k3")
    expected = [
        [trl_token_loss(new, behaviour, advantage, 0.2, 0.28, None) + 0.04 * (math.exp(ref - new) - (ref - new) - 1) for new, behaviour, _, ref, advantage in row]
        for row in batch.rows()
    ]
    assert float(policy.loss + 0.04 * masked_sum(kl, batch.mask, weights)) == pytest.approx(aggregate(expected, "sequence_mean"), **CLOSE)


@pytest.mark.parametrize("estimator, reference", [
    ("k1", lambda new, ref: new - ref),
    ("k2", lambda new, ref: 0.5 * (new - ref) ** 2),
    ("k3", lambda new, ref: math.exp(ref - new) - (ref - new) - 1),
])
def test_kl_estimators_are_verls(estimator: str, reference: Callable[[float, float], float]) -> None:
    """verl kl_penalty: k1, k2 (mse), k3 (low_var_kl), after Schulman, "Approximating KL divergence"."""
    batch = random_batch(1)
    found = kl_estimate(batch.logprobs, batch.reference, batch.mask, estimator)
    assert found[batch.mask].tolist() == pytest.approx([reference(new, ref) for row in batch.rows() for new, _, _, ref, _ in row], **CLOSE)
    assert float(found[~batch.mask].abs().sum()) == 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("limit", [0.2, None])
def test_the_value_loss_is_verls(seed: int, limit: float | None) -> None:
    """verl compute_value_loss: ½ max((v − R)², (clip(v, old ± c) − R)²)."""
    batch, weights = random_batch(seed), random_batch(seed).weights("token_mean")
    found = value_loss(batch.logprobs, batch.old, batch.reference, batch.mask, weights, limit)
    errors = [
        [((v - target) ** 2, (v - target if limit is None else clip(v, old - limit, old + limit) - target) ** 2) for v, _, old, target, _ in row]
        for row in batch.rows()
    ]
    assert float(found.loss) == pytest.approx(aggregate([[0.5 * max(pair) for pair in row] for row in errors], "token_mean"), **CLOSE)
    assert int(found.clipped) == sum(second > first for row in errors for first, second in row)


def one_token(ratio: float, advantage: float, options: PolicyLossOptions = PolicyLossOptions()) -> tuple[float, float, list[int]]:
    """(loss, its gradient by the logprob, clipped counts) of a single token."""
    logprob = torch.tensor([math.log(ratio)], dtype=torch.float64, requires_grad=True)
    ones = torch.ones(1, dtype=torch.float64)
    found = policy_loss(logprob, 0 * ones, advantage * ones, torch.tensor([True]), ones, options)
    found.loss.backward()
    assert logprob.grad is not None
    return float(found.loss.detach()), float(logprob.grad), [int(found.clipped_low), int(found.clipped_high), int(found.clipped_dual)]


@pytest.mark.parametrize("ratio, advantage, loss, gradient, clipped", [
    (1.0, 2.0, -2.0, -2.0, [0, 0, 0]),
    (1.25, 1.0, -1.25, -1.25, [0, 0, 0]),
    (1.5, 1.0, -1.28, 0.0, [0, 1, 0]),
    (0.5, 1.0, -0.5, -0.5, [0, 0, 0]),
    (0.5, -1.0, 0.8, 0.0, [1, 0, 0]),
    (1.5, -1.0, 1.5, 1.5, [0, 0, 0]),
    (9.0, -1.0, 3.0, 0.0, [0, 0, 1]),
])
def test_a_token_by_hand(ratio: float, advantage: float, loss: float, gradient: float, clipped: list[int]) -> None:
    found = one_token(ratio, advantage, PolicyLossOptions(dual_clip=3.0))
    assert found == (pytest.approx(loss), pytest.approx(gradient), clipped)


def test_a_ratio_that_would_overflow_stays_finite() -> None:
    far = torch.tensor([0.0])
    found = policy_loss(far, far - 1e4, torch.tensor([-1.0]), torch.tensor([True]), torch.ones(1))
    assert math.isfinite(float(found.loss)) and math.isfinite(float(found.ratio_squared))


def test_weights_by_hand() -> None:
    assert token_weights("token_sum", [2, 6], 100) == [1 / 200] * 2
    assert token_weights("token_mean", [2, 6], 100) == [1 / 8] * 2
    assert token_weights("sequence_mean", [2, 6], 100) == [1 / 4, 1 / 12]
    assert token_weights("token_sum", [2, 6], 100, trajectories=8) == [1 / 800] * 2
    with pytest.raises(ValueError, match="trajectories is 1"):
        token_weights("token_sum", [2, 6], 100, trajectories=1)


def test_the_effective_sample_size_by_hand() -> None:
    ratios = torch.tensor([1.0, 3.0, 0.0])
    found = policy_loss(ratios.log(), torch.zeros(3), torch.zeros(3), torch.tensor([True, True, False]), torch.zeros(3))
    assert float(found.effective_sample_size()) == pytest.approx(16 / 10 / 2)


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="dual_clip"):
        PolicyLossOptions(dual_clip=1.0)
    with pytest.raises(ValueError, match="clip_low"):
        PolicyLossOptions(clip_low=-0.1)
    with pytest.raises(ValueError, match="old_logprobs"):
        policy_loss(*[torch.zeros(1)] * 3, torch.tensor([True]), torch.ones(1), PolicyLossOptions(importance_cap=2))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mismatch_is_told_by_version(seed: int) -> None:
    """Of KL(sampler ‖ trainer), d = behaviour − trainer: k1 = d, k3 = exp(−d) + d − 1."""
    batch = random_batch(seed)
    versions = torch.arange(LENGTH).expand(ROWS, LENGTH) // 4
    found = mismatch_kl(batch.logprobs, batch.behaviour, batch.mask, versions, ["step-0", "step-1", "step-2", "unused"])
    for index in range(3):
        here = batch.mask & (versions == index)
        apart = [behaviour - new for behaviour, new in zip(batch.behaviour[here].tolist(), batch.logprobs[here].tolist())]
        one = found[f"step-{index}"]
        assert one.tokens == len(apart)
        assert (one.k1, one.k3) == (pytest.approx(sum(apart), **CLOSE), pytest.approx(sum(math.exp(-d) + d - 1 for d in apart), **CLOSE))
    assert set(found) == {"step-0", "step-1", "step-2"}
    assert (found["step-0"] + found["step-1"]).tokens == found["step-0"].tokens + found["step-1"].tokens


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_are_those_of_finite_differences(seed: int) -> None:
    batch, weights = random_batch(seed), random_batch(seed).weights("token_sum")
    start = torch.where(batch.mask, batch.logprobs, 0).requires_grad_()
    options = PolicyLossOptions(dual_clip=1.5, importance_cap=1.2)
    mask, behaviour, advantages = batch.mask, batch.behaviour, batch.advantages
    losses: list[Callable[[Tensor], Tensor]] = [
        lambda now: policy_loss(now, behaviour, advantages, mask, weights).loss,
        lambda now: policy_loss(now, behaviour, advantages, mask, weights, options, batch.old).loss,
        lambda now: value_loss(now, batch.old, batch.reference, mask, weights).loss,
        *(lambda now, kind=kind: masked_sum(kl_estimate(now, batch.reference, mask, kind), mask, weights) for kind in ("k1", "k2", "k3")),
    ]
    for loss in losses:
        assert torch.autograd.gradcheck(loss, (start,), eps=1e-7, atol=1e-6)


def test_what_is_masked_has_no_gradient_though_it_is_not_a_number() -> None:
    batch = random_batch(0)
    logprobs = batch.logprobs.clone().requires_grad_()
    weights = torch.where(batch.mask, batch.weights("token_mean"), math.nan)
    total = policy_loss(logprobs, batch.behaviour, batch.advantages, batch.mask, weights).loss
    total = total + value_loss(logprobs, batch.old, batch.reference, batch.mask, weights).loss
    total = total + masked_sum(kl_estimate(logprobs, batch.reference, batch.mask), batch.mask, weights)
    total.backward()
    assert logprobs.grad is not None and torch.isfinite(logprobs.grad).all() and float(logprobs.grad[~batch.mask].abs().sum()) == 0


def test_a_masked_sum_by_hand() -> None:
    values = torch.tensor([1.0, math.nan, 3.0], requires_grad=True)
    total = masked_sum(values, torch.tensor([True, False, True]), torch.tensor([2.0, math.nan, 0.5]))
    total.backward()
    assert values.grad is not None and (float(total.detach()), values.grad.tolist()) == (3.5, [2, 0, 0.5])


def test_logprobs_and_entropy_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3]], dtype=torch.float64)) + 7
    logprobs, entropy = logprobs_from_logits(logits, torch.tensor([1, 2]), chunk=1)
    assert logprobs.tolist() == pytest.approx([math.log(0.25), math.log(1 / 3)])
    assert entropy.tolist() == pytest.approx([1.5 * math.log(2), math.log(3)])
    # At temperature 0.5 probabilities are squared: 4 : 1 : 1
    assert logprobs_from_logits(logits, torch.tensor([1, 2]), temperature=0.5)[0].tolist() == pytest.approx([math.log(1 / 6), math.log(1 / 3)])


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_chunks_change_neither_values_nor_gradients(chunk: int) -> None:
    draw = torch.Generator().manual_seed(3)
    hidden = torch.randn(2, 5, 4, generator=draw, dtype=torch.float64, requires_grad=True)
    head = torch.nn.Linear(4, 11, dtype=torch.float64)
    targets = torch.randint(0, 11, (2, 5), generator=draw)
    logprobs, entropy = logprobs_from_hidden(hidden, head, targets, chunk)
    expected = torch.log_softmax(head(hidden), -1)
    torch.testing.assert_close(logprobs, expected.gather(-1, targets[..., None])[..., 0])
    torch.testing.assert_close(entropy, -(expected.exp() * expected).sum(-1))

    def both(at: Tensor, weight: Tensor) -> Tensor:
        return torch.stack(logprobs_from_hidden(at, lambda part: part @ weight.T, targets, chunk))

    assert torch.autograd.gradcheck(both, (hidden, head.weight.detach().clone().requires_grad_()))


def test_no_tensor_of_all_logits_is_made_or_kept() -> None:
    tokens, vocabulary, chunk, sizes, kept = 64, 5_000, 8, [], []
    hidden, head = torch.randn(tokens, 4, requires_grad=True), torch.nn.Linear(4, vocabulary).bfloat16()

    def watched(part: Tensor) -> Tensor:
        sizes.append(len(part))
        return head(part.bfloat16())

    with torch.autograd.graph.saved_tensors_hooks(lambda saved: kept.append(saved.numel()) or saved, lambda saved: saved):
        logprobs, entropy = logprobs_from_hidden(hidden, watched, torch.zeros(tokens, dtype=torch.int64), chunk)
    assert logprobs.dtype == entropy.dtype == torch.float32
    assert sum(kept) < chunk * vocabulary, "the forward pass keeps no logits"
    (logprobs + entropy).sum().backward()
    assert max(sizes) == chunk and len(sizes) == 2 * tokens // chunk, "each chunk once forward, once backward"


def test_no_positions_give_no_logprobs() -> None:
    logprobs, entropy = logprobs_from_logits(torch.zeros(0, 7), torch.zeros(0, dtype=torch.int64))
    assert logprobs.shape == entropy.shape == (0,)
    with pytest.raises(ValueError, match="temperature"):
        logprobs_from_logits(torch.zeros(1, 7), torch.zeros(1, dtype=torch.int64), temperature=0)
