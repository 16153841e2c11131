"""What the small model starts from: a random model with its tokenizer, and conversations of the teacher to clone."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .family import Chance, LearnArena
from .teacher import BREAKER_USER, SYSTEM, Budget, Dialogue, Message, Role, break_it, draw_hidden, oracle_patch, repair_it, solver_user
from .words import train_tokenizer

BUDGET = Budget(turns=8, tokens=1000, seconds=60)
"""Of a rollout in the runs; see run.py."""
VOCABULARY, WIDTH, LAYERS, HEADS, CONTEXT = 800, 128, 3, 4, 1024
KNOWN = 0.7
"""The share of cloned repairs that are right. The others guess, so that the model knows what is right and does not rely on it, as one that
has read a lot does not: to rely on what the tests reward is left to be learnt."""
CORPUS = 2_000
"""Conversations that the tokenizer is made of."""


def write_model(folder: Path, arenas: Sequence[LearnArena], seed: int) -> PreTrainedTokenizerFast:
    """A random Llama of half a million weights, and its tokenizer."""
    chance = random.Random(seed)
    tokenizer = train_tokenizer((_text(draw_conversation(arenas, role, chance)) for _ in range(CORPUS) for role in ("breaker", "solver")), VOCABULARY)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=3 * WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        num_key_value_heads=HEADS, max_position_embeddings=CONTEXT, tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return tokenizer


def write_conversations(path: Path, arenas: Sequence[LearnArena], count: int, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
    """Breaker and solver in turn."""
    chance = random.Random(seed)
    counted = Counted(tokenizer)
    with path.open("w") as lines:
        for number in range(count):
            messages = draw_conversation(arenas, "solver" if number % 2 else "breaker", chance, counted)
            lines.write(json.dumps({"messages": messages}) + "\n")


class Counted:
    """Tokens of a conversation, as the chat template writes it."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer

    def __call__(self, messages: Sequence[Message]) -> int:
        return len(self._tokenizer(_text(messages))["input_ids"])


def draw_conversation(arenas: Sequence[LearnArena], role: Role, chance: Chance, counted=lambda _: 300, known: float = KNOWN) -> list[Message]:
    """`known`: the share of repairs that are right."""
    arena = chance.choice(arenas)
    # A small model finds the last function at once, and takes long to learn to name any that is there.
    last = [bug for bug in arena.candidates if bug.whole == arena.functions[-1].lines]
    bug = chance.choice(last if role == "breaker" and last else arena.candidates)
    hidden = draw_hidden(bug, chance)
    # How long commands take depends on the machine: a model that has seen one number only reads nothing from behind another.
    budget = replace(BUDGET, seconds=chance.randint(20, BUDGET.seconds))
    if role == "breaker":
        dialogue = Dialogue(SYSTEM, BREAKER_USER, budget, counted)
        break_it(dialogue, arena, bug, hidden)
    else:
        dialogue = Dialogue(SYSTEM, solver_user(oracle_patch(arena, bug, hidden)), budget, counted)
        repair_it(dialogue, arena, bug, bug.whole if chance.random() < known else chance.choice(bug.misses))
    return dialogue.messages


def _text(messages: Sequence[Message]) -> str:
    return "".join(f"<|{message['role']}|>{message['content']}<|end|>" for message in messages)
