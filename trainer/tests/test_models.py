"""The policy: packed rows say what their segments say alone, whatever the model; adapters, heads and files hold what was trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel, Lfm2Config, Lfm2ForCausalLM, LlamaForCausalLM

from spar_trainer.batch import MicroBatch, TrainSegment, pack
from spar_trainer.distributed import Ranks, whole_weights
from spar_trainer.errors import TrainerError
from spar_trainer.model_files import save_for_resume, save_policy
from spar_trainer.models import Policy, Predictions, load_policy

from .tiny_model import TOKENS, llama_config, make_llama, save_model
from .training import one_thread, train_config, weights

SHAPE = {"vocab_size": TOKENS, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256}


def llama(attention: str = "sdpa") -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(llama_config(initializer_range=0.2, attn_implementation=attention)).eval()


def gemma() -> Gemma2ForCausalLM:
    """Its logits are capped behind the output embeddings, here far below where they would be."""
    torch.manual_seed(0)
    return Gemma2ForCausalLM(Gemma2Config(**SHAPE, head_dim=8, final_logit_softcapping=2.0, initializer_range=0.2)).eval()


def lfm() -> Lfm2ForCausalLM:
    """Its convolutions run over the ends of segments."""
    torch.manual_seed(0)
    return Lfm2ForCausalLM(Lfm2Config(**SHAPE, layer_types=["conv", "full_attention"], initializer_range=0.2)).eval()


def gpt2(folder: Path) -> Path:
    """It has dropout by default, and layers whose weights lie the other way round."""
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=TOKENS, n_positions=256, n_embd=32, n_layer=2, n_head=4, bos_token_id=None, eos_token_id=258, initializer_range=0.2)
    return save_model(folder, GPT2LMHeadModel(config))


def some_segments(count: int = 5, seed: int = 0) -> list[TrainSegment]:
    random = np.random.default_rng(seed)
    found = []
    for index in range(count):
        length = int(random.integers(6, 30))
        mask = np.concatenate([[0], random.integers(0, 2, length - 2), [1]]).astype(np.uint8)
        found.append(TrainSegment(f"s{index}", random.integers(0, TOKENS, length).astype(np.int32), mask, np.zeros(length, np.float32), (("step-0", length),), 1.0, 1.0))
    return found


def predict(policy: Policy, batch: MicroBatch, temperature: float = 1.0) -> Predictions:
    mask = batch.attention_mask if policy.form == "padded" else None
    return policy(batch.input_ids, batch.position_ids, mask, batch.loss_mask, batch.targets, temperature)


def alone(model: torch.nn.Module, segment: TrainSegment, temperature: float = 1.0) -> torch.Tensor:
    """By the model's own logits, of one segment without any padding."""
    ids = torch.from_numpy(segment.token_ids).long()
    logits = model(input_ids=ids[None], use_cache=False).logits[0].float() / temperature
    logprobs = torch.log_softmax(logits[:-1], -1).gather(-1, ids[1:, None]).squeeze(-1)
    return logprobs[torch.from_numpy(segment.mask[1:]) == 1]


@pytest.mark.parametrize(
    ("make", "form", "direct"),
    [(llama, "packed", True), (lambda: llama("eager"), "packed", True), (gemma, "packed", False), (lfm, "padded", True)],
    ids=["sdpa", "eager", "capped logits", "convolution"],
)
def test_segments_together_say_what_they_say_alone(make, form: str, direct: bool) -> None:  # type: ignore[no-untyped-def]
    one_thread()
    model, segments = make(), some_segments()
    policy = Policy(model)
    assert (policy.form, policy.direct_head) == (form, direct)
    batches = pack(segments, 120, form=policy.form)
    assert len(batches) < len(segments), "some have to stand together"
    for batch in batches:
        with torch.no_grad():
            found = predict(policy, batch, 0.7)
        row = torch.zeros_like(batch.weights)
        row[batch.loss_mask] = found.logprobs
        for index, logprobs in batch.spread(row, segments).items():
            drawn = torch.from_numpy(logprobs[segments[index].mask == 1])
            assert torch.allclose(drawn, alone(model, segments[index], 0.7), atol=1e-5), f"segment {index}"


def test_the_entropy_is_that_of_the_whole_distribution() -> None:
    model, segments = llama(), some_segments(1)
    [batch] = pack(segments, 100)
    logits = torch.log_softmax(model(input_ids=batch.input_ids, use_cache=False).logits, -1)
    expected = -(logits.exp() * logits).sum(-1)[batch.loss_mask]
    assert torch.allclose(predict(Policy(model), batch).entropy, expected, atol=1e-5)


@pytest.mark.parametrize("make", [make_llama, gpt2], ids=["llama", "weights that lie transposed"])
def test_an_adapter_is_trained_alone_and_merged_for_others(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    base = make(tmp_path / "model")
    config = train_config(model=base, lora_r=4, seed=3)
    policy = load_policy(config, value_head=False, reference=True).policy
    trained = [name for name, one in policy.named_parameters() if one.requires_grad]
    assert trained and all(".lora_" in name for name in trained)
    with torch.no_grad():
        for name, one in policy.named_parameters():
            if ".lora_B" in name:
                one.normal_(0, 0.05)
    [batch] = pack(some_segments(2), 100)
    adapted = predict(policy, batch).logprobs
    with policy.as_reference() as reference:
        plain = predict(reference, batch).logprobs
    assert torch.allclose(plain, predict(Policy(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)), batch).logprobs, atol=1e-5)
    assert (adapted - plain).abs().max() > 1e-3

    everything = {name: tensor.detach().clone() for name, tensor in policy.state_dict().items()}
    save_policy(policy, everything, tmp_path / "merged", origin=str(base), dtype=torch.float32)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    assert torch.allclose(predict(Policy(merged), batch).logprobs, adapted, atol=1e-4)
    assert (tmp_path / "merged" / "chat_template.jinja").read_bytes() == (base / "chat_template.jinja").read_bytes()


@pytest.mark.parametrize(("lora_r", "tied"), [(0, False), (0, True), (4, True)])
def test_what_is_saved_is_read_back_to_the_bit(tmp_path: Path, lora_r: int, tied: bool) -> None:
    base = make_llama(tmp_path / "model", tie_word_embeddings=tied)
    config = train_config(model=base, lora_r=lora_r)
    policy = load_policy(config, value_head=True, reference=False).policy
    with torch.no_grad():
        for one in policy.parameters():
            if one.requires_grad:
                one.add_(torch.randn_like(one) * 1e-3)
    kept = {name: tensor.detach().clone() for name, tensor in policy.state_dict().items()}
    saved = whole_weights(policy, Ranks(0, 1, torch.device("cpu")), trained_only=lora_r > 0)
    save_for_resume(policy, saved, tmp_path / "checkpoint", origin=str(base))
    again = load_policy(config, value_head=True, reference=False, checkpoint=tmp_path / "checkpoint").policy.state_dict()
    assert again.keys() == kept.keys() and all(torch.equal(again[name], kept[name]) for name in kept)
    everything = whole_weights(policy, Ranks(0, 1, torch.device("cpu")))
    save_policy(policy, everything, tmp_path / "policy", origin=str(base), dtype=torch.float32)
    assert weights(tmp_path / "policy").keys() == weights(base).keys(), "what is tied is in it once"


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_what_is_trained_says_the_same_twice_whatever_dropout_it_was_made_with(tmp_path: Path, attention: str) -> None:
    for base in (gpt2(tmp_path / "gpt2"), make_llama(tmp_path / "llama", attention_dropout=0.5)):
        policy = load_policy(train_config(model=base, attention=attention), value_head=False, reference=False).policy
        [batch] = pack(some_segments(2), 100, form=policy.form)
        one, two = predict(policy, batch).logprobs, predict(policy, batch).logprobs
        assert policy.training and torch.equal(one, two)


def test_a_reference_is_a_second_copy_only_without_an_adapter(tmp_path: Path) -> None:
    base = make_llama(tmp_path / "model")
    assert load_policy(train_config(model=base), value_head=False, reference=True).reference is not None
    assert load_policy(train_config(model=base, lora_r=2), value_head=False, reference=True).reference is None
    assert load_policy(train_config(model=base), value_head=False, reference=False).reference is None


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError) as error:
        load_policy(train_config(model=tmp_path), value_head=False, reference=False)
    assert error.value.code == "MODEL_UNREADABLE" and str(tmp_path) in str(error.value)
    with pytest.raises(TrainerError) as error:
        load_policy(train_config(model=make_llama(tmp_path / "model"), lora_r=2, lora_targets="nothing"), value_head=False, reference=False)
    assert error.value.code == "MODEL_ADAPTER"
