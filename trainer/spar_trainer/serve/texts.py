"""Text to tokens and back, by the tokenizer of the folder that is served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from .errors import ServeError


class Texts:
    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=add_special_tokens)

    def render(self, messages: Any, opens_reply: bool = True) -> list[int]:
        """A conversation by the tokenizer's chat template. Raises SERVE_REQUEST: no template, or messages that it refuses."""
        if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) and isinstance(message.get("role"), str) for message in messages):
            raise ServeError("SERVE_REQUEST", 'Cannot take the request: "messages" has to be a list of objects with a role and a content')
        if self._tokenizer.chat_template is None:
            raise ServeError("SERVE_REQUEST", "Cannot render messages: the tokenizer has no chat template. Put chat_template.jinja into the folder, or send a prompt")
        try:
            rendered = self._tokenizer.apply_chat_template([_plain(message) for message in messages], tokenize=False, add_generation_prompt=opens_reply)
        except (TemplateError, TypeError, ValueError) as error:
            raise ServeError("SERVE_REQUEST", f"Cannot render messages: the chat template says: {error}") from error
        # The template has written the special tokens already.
        return self._tokenizer.encode(rendered, add_special_tokens=False)

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        return self._tokenizer.decode(list(tokens), skip_special_tokens=skip_special_tokens)

    def each(self, tokens: Sequence[int]) -> list[str]:
        """The text of every token by itself."""
        return [self._tokenizer.decode([token]) for token in tokens]


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    """Content as text: a list of text parts is put together, other parts are refused."""
    content = message.get("content")
    if isinstance(content, list):
        if not all(isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str) for part in content):
            raise ServeError("SERVE_REQUEST", "Cannot take the request: a content may only have parts of text here")
        content = "".join(part["text"] for part in content)
    if message.get("tool_calls"):
        raise ServeError("SERVE_REQUEST", 'Cannot take the request: "tool_calls" of messages are not to be had here. Take the text protocol (--tools text)')
    if content is not None and not isinstance(content, str):
        raise ServeError("SERVE_REQUEST", "Cannot take the request: a content has to be text")
    return {**message, "content": content or ""}
