"""Conversations to be cloned: a `.jsonl` of `{"messages": [{"role", "content"}, …]}` becomes tokens and the mask of what the assistant said.

The mask is that of the template's own generation markers where it has them (`{% generation %}`). Else the conversation is rendered up to
each reply and behind it: what the reply adds is its text, if the one is a beginning of the other; if not, the line is refused, since a
mask would be a guess.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .batch import TrainSegment
from .errors import TrainerError

LINE_BYTES_MAX = 16 * 2**20


def read_chat(file: Path, tokenizer: Any) -> Iterator[TrainSegment]:
    """Raises TrainerError SFT_CHAT, naming file and line."""
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(LINE_BYTES_MAX), b""), 1):
                if line.strip():
                    yield segment_of(line, f"{file.name}:{number}", tokenizer)
    except OSError as error:
        raise TrainerError("SFT_CHAT", f"Cannot read {file}: {error.strerror}") from None


def segment_of(line: bytes, where: str, tokenizer: Any) -> TrainSegment:
    messages = messages_of(line, where)
    ids, mask = by_markers(messages, tokenizer) or by_rendering(messages, where, tokenizer)
    mask[0] = 0
    if not mask.any():
        raise TrainerError("SFT_CHAT", f"Cannot clone {where}: the assistant says nothing in it")
    zeros = np.zeros(len(ids), np.float32)
    return TrainSegment(where, np.array(ids, np.int32), mask, zeros, (("", len(ids)),), 1.0, 1.0)


def messages_of(line: bytes, where: str) -> list[dict[str, Any]]:
    try:
        messages = json.loads(line)["messages"]
    except (ValueError, KeyError, TypeError):
        messages = None
    whole = isinstance(messages, list) and all(isinstance(one, dict) and isinstance(one.get("role"), str) for one in messages)
    if not whole or not any(one["role"] == "assistant" for one in messages):
        raise TrainerError("SFT_CHAT", f'Cannot clone {where}: a line is {{"messages": [{{"role": …, "content": …}}, …]}} with a reply of the assistant')
    return messages


def by_markers(messages: list[dict[str, Any]], tokenizer: Any) -> tuple[list[int], np.ndarray] | None:
    """None: the template has no markers."""
    if "generation %}" not in str(tokenizer.chat_template):
        return None
    out = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    return list(out["input_ids"]), np.array(out["assistant_masks"], np.uint8)


def by_rendering(messages: list[dict[str, Any]], where: str, tokenizer: Any) -> tuple[list[int], np.ndarray]:
    ids = render(messages, tokenizer, False)
    mask = np.zeros(len(ids), np.uint8)
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            before, behind = render(messages[:index], tokenizer, True), render(messages[: index + 1], tokenizer, False)
            if ids[: len(behind)] != behind or behind[: len(before)] != before:
                raise TrainerError("SFT_CHAT", f"Cannot clone {where}: the template renders message {index} differently when more follows; mark replies in it with {{% generation %}}")
            mask[len(before) : len(behind)] = 1
    return ids, mask


def render(messages: list[dict[str, Any]], tokenizer: Any, prompts: bool) -> list[int]:
    if not messages:
        return []
    return list(tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, add_generation_prompt=prompts)["input_ids"])
