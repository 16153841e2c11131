"""Goal: what the server computes is what transformers computes. Method: random models of each family, read in pieces, in rows that
join and leave a batch, against one forward of the whole sequence."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from spar_trainer.serve.batch import Piece
from spar_trainer.serve.errors import ServeError
from spar_trainer.serve.hugging_face import HuggingFaceModel
from spar_trainer.serve.key_values import KeyValues
from spar_trainer.serve.llama import LlamaModel, llama_shape
from spar_trainer.serve.load import ModelSource

SIZES = {"vocab_size": 97, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 2, "max_position_embeddings": 640, "initializer_range": 0.1}
CPU = torch.device("cpu")


def _llama(**more: Any) -> LlamaForCausalLM:
    return LlamaForCausalLM(LlamaConfig(**SIZES, **more))


def _qwen2() -> Qwen2ForCausalLM:
    model = Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=True))
    for layer in model.model.layers:
        torch.nn.init.normal_(layer.self_attn.q_proj.bias)
        torch.nn.init.normal_(layer.self_attn.k_proj.bias)
    return model


def _qwen3() -> Qwen3ForCausalLM:
    model = Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=16))
    for layer in model.model.layers:
        torch.nn.init.uniform_(layer.self_attn.q_norm.weight, 0.5, 2.0)
    return model


def _gpt2() -> GPT2LMHeadModel:
    return GPT2LMHeadModel(GPT2Config(vocab_size=97, n_embd=48, n_layer=2, n_head=4, n_positions=640, initializer_range=0.1))


MODELS = {
    "llama": (_llama, LlamaModel),
    "llama with another theta and bias": (lambda: _llama(rope_parameters={"rope_type": "default", "rope_theta": 500.0}, attention_bias=True), LlamaModel),
    "qwen2, tied": (_qwen2, LlamaModel),
    "qwen3": (_qwen3, LlamaModel),
    "gpt2": (_gpt2, HuggingFaceModel),
    "llama with scaled positions": (lambda: _llama(rope_parameters={"rope_type": "linear", "rope_theta": 10_000.0, "factor": 2.0}), HuggingFaceModel),
}


@pytest.mark.parametrize("name", MODELS)
def test_rows_that_come_and_go_have_the_logits_of_the_whole_sequence(name: str, tmp_path: Path) -> None:
    make, kind = MODELS[name]
    torch.manual_seed(1)
    reference = make().eval()
    reference.save_pretrained(tmp_path)
    model = ModelSource(torch.float32, CPU).load(tmp_path)
    assert type(model) is kind
    generator = random.Random(2)
    sequences = [[generator.randrange(97) for _ in range(length)] for length in (5, 300, 40, 17, 41, 2, 33, 60, 90, 12, 11)]
    with torch.inference_mode():
        expected = [reference(torch.tensor([tokens])).logits[0] for tokens in sequences]
    kv = KeyValues(model.kv_shape, len(sequences), 640, torch.float32, CPU)
    done = [0] * len(sequences)
    compared = 0
    with torch.inference_mode():
        while any(done[row] < len(tokens) for row, tokens in enumerate(sequences)):
            pieces = []
            for row, tokens in enumerate(sequences):
                # Some rows read a long piece, some one token, some wait.
                length = min(generator.choice((0, 1, 1, 1, 1, 1, 5, 20)), len(tokens) - done[row])
                if length > 0:
                    pieces.append(Piece(row, done[row], tokens[done[row] : done[row] + length], generator.random() < 0.8))
            if not any(piece.wants_logits for piece in pieces):
                continue
            logits = model.forward(pieces, kv)
            wanted = [piece for piece in pieces if piece.wants_logits]
            assert logits.shape == (len(wanted), 97)
            for piece, got in zip(wanted, logits, strict=True):
                torch.testing.assert_close(got, expected[piece.row][piece.start + len(piece.tokens) - 1], rtol=1e-5, atol=1e-5)
                compared += 1
            for piece in pieces:
                done[piece.row] += len(piece.tokens)
    assert compared > 100


def test_what_the_lean_forward_does_not_have_is_not_taken_for_it() -> None:
    assert llama_shape(LlamaConfig(**SIZES)) is not None
    assert llama_shape(MistralConfig(**SIZES, sliding_window=None)) is not None
    assert llama_shape(MistralConfig(**SIZES, sliding_window=64)) is None
    assert llama_shape(LlamaConfig(**SIZES, hidden_act="gelu")) is None
    assert llama_shape(LlamaConfig(**SIZES, mlp_bias=True)) is None
    assert llama_shape(Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=8, max_window_layers=1)) is None


def test_windows_are_refused_and_not_left_out(tmp_path: Path) -> None:
    model = Qwen2ForCausalLM(Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=8, max_window_layers=1))
    model.save_pretrained(tmp_path)
    with pytest.raises(ServeError, match="not full attention"):
        ModelSource(torch.float32, CPU).load(tmp_path)


def test_bfloat16_stays_close(tmp_path: Path) -> None:
    torch.manual_seed(3)
    reference = _llama()
    reference.save_pretrained(tmp_path)
    model = ModelSource(torch.bfloat16, CPU).load(tmp_path)
    tokens = [1, 5, 9, 20, 96, 0, 4]
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    with torch.inference_mode():
        expected = loaded(torch.tensor([tokens])).logits[0, -1].float()
        got = model.forward([Piece(0, 0, tokens, True)], KeyValues(model.kv_shape, 1, 640, torch.bfloat16, CPU))[0]
    torch.testing.assert_close(got, expected, rtol=0.05, atol=0.05)
