"""A tiny model of random weights with a tokenizer of bytes and ChatML, in Hugging Face's form: `python -m tests.tiny_model <folder> [seed]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

TEMPLATE = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
TOKENS = 260


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A token for every byte, and ChatML's marks behind them."""
    tokenizer = Tokenizer(BPE({character: index for index, character in enumerate(sorted(ByteLevel.alphabet()))}, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in ("<|pad|>", "<|im_start|>", "<|im_end|>")])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|im_end|>", chat_template=TEMPLATE)


def llama_config(**changes: Any) -> LlamaConfig:
    return LlamaConfig(**{
        "vocab_size": TOKENS, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 2048, "bos_token_id": None, "eos_token_id": 258, "pad_token_id": 256, "tie_word_embeddings": False, **changes,
    })  # fmt: skip


def save_model(folder: Path, model: PreTrainedModel) -> Path:
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def make_llama(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """Weights far larger than at a training's start, so that the distributions are not flat."""
    torch.manual_seed(seed)
    model = LlamaForCausalLM(llama_config(initializer_range=0.2, **changes))
    return save_model(folder, model)


if __name__ == "__main__":
    make_llama(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, max_position_embeddings=65_536)
