"""OpenAI's routes as vLLM extends them: models, tokenize, completions and chat completions, with token ids and logprobs."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from aiohttp import web

from . import fields
from .errors import ServeError
from .fields import Fields
from .requests import Completion
from .service import Asked, Service

NOT_HERE = ("tools", "functions", "logit_bias", "echo", "suffix", "structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "prompt_logprobs", "top_logprobs", "stream")
SEEDS = (-(2**63), 2**64 - 1)


def routes(service: Service) -> list[web.RouteDef]:
    handlers = _Handlers(service)
    return [
        web.get("/v1/models", handlers.models),
        web.get("/version", handlers.version),
        web.post("/tokenize", handlers.tokenize),
        web.post("/detokenize", handlers.detokenize),
        web.post("/v1/completions", handlers.completions),
        web.post("/v1/chat/completions", handlers.chat),
    ]


class _Handlers:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def models(self, _: web.Request) -> web.Response:
        # Clients know by the owner which extensions a server speaks: these are vLLM's.
        card = {"id": self._service.name, "object": "model", "created": 0, "owned_by": "vllm", "root": str(self._service.folder), "max_model_len": self._service.engine.context_max}
        return web.json_response({"object": "list", "data": [card]})

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": "spar-trainer", "weight_version": self._service.engine.version})

    async def tokenize(self, request: web.Request) -> web.Response:
        """`messages` by the chat template, or `prompt`; both as vLLM has them. SGLang's `text` is a prompt as well."""
        body = await read_body(request)
        self._service.check_model(body)
        if body.get("messages") is not None:
            fields.refuse(body, ("tools",))
            tokens = self._service.texts.render(body["messages"], fields.flag(body, "add_generation_prompt", True))
        else:
            prompt = fields.text(body, "prompt")
            if prompt is None:
                prompt = fields.text(body, "text")
            if prompt is None:
                raise fields.wrong("prompt", 'is missing, and so is "messages"')
            tokens = self._service.texts.encode(prompt, fields.flag(body, "add_special_tokens", True))
        return web.json_response({"tokens": tokens, "count": len(tokens), "max_model_len": self._service.engine.context_max})

    async def detokenize(self, request: web.Request) -> web.Response:
        body = await read_body(request)
        tokens = fields.token_list(body.get("tokens"), "tokens", self._service.engine.model.vocabulary)
        return web.json_response({"prompt": self._service.texts.decode(tokens, skip_special_tokens=False)})

    async def completions(self, request: web.Request) -> web.Response:
        body = await read_body(request)
        fields.refuse_unless(body, {"logprobs": 0})
        asked = Asked(self._prompt(body), fields.whole(body, "max_tokens", 16, 1, 2**31), fields.whole(body, "seed", None, *SEEDS), self._checked(body))
        completion = await self._service.complete(asked)
        choice = {"text": self._service.text_of(completion, fields.flag(body, "skip_special_tokens", True)), "logprobs": None}
        if body.get("logprobs") is not None:
            choice["logprobs"] = {"tokens": self._service.texts.each(completion.token_ids), "token_logprobs": completion.logprobs, "top_logprobs": None}
        return web.json_response(self._answer("text_completion", "cmpl", body, asked, completion, choice))

    async def chat(self, request: web.Request) -> web.Response:
        body = await read_body(request)
        fields.refuse_unless(body, {"response_format": {"type": "text"}})
        prompt = self._service.texts.render(body.get("messages"), fields.flag(body, "add_generation_prompt", True))
        most = fields.whole(body, "max_completion_tokens", fields.whole(body, "max_tokens", None, 1, 2**31), 1, 2**31)
        asked = Asked(prompt, most, fields.whole(body, "seed", None, *SEEDS), self._checked(body))
        completion = await self._service.complete(asked)
        choice: dict[str, Any] = {"message": {"role": "assistant", "content": self._service.text_of(completion, fields.flag(body, "skip_special_tokens", True))}, "logprobs": None}
        if fields.flag(body, "logprobs"):
            texts = self._service.texts.each(completion.token_ids)
            choice["logprobs"] = {"content": [{"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []} for text, logprob in zip(texts, completion.logprobs, strict=True)]}
        return web.json_response(self._answer("chat.completion", "chatcmpl", body, asked, completion, choice))

    def _checked(self, body: Fields) -> Fields:
        self._service.check_model(body)
        if body.get("tools"):
            raise fields.wrong("tools", "are not to be had here: this server parses no tool calls. Take the text protocol (--tools text), or vLLM")
        fields.refuse(body, NOT_HERE)
        return body

    def _prompt(self, body: Fields) -> list[int]:
        prompt = body.get("prompt")
        if isinstance(prompt, str):
            return self._service.texts.encode(prompt)
        if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], list | str):
            return self._prompt({"prompt": prompt[0]})
        return fields.token_list(prompt, "prompt", self._service.engine.model.vocabulary)

    def _answer(self, kind: str, prefix: str, body: Fields, asked: Asked, completion: Completion, choice: dict[str, Any]) -> dict[str, Any]:
        gives_ids = fields.flag(body, "return_token_ids")
        gives_prompt = gives_ids or fields.flag(body, "return_prompt_token_ids")
        prompt, drawn = len(asked.prompt), len(completion.token_ids)
        return {
            "id": f"{prefix}-{uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": self._service.name,
            "choices": [{"index": 0, **choice, "finish_reason": completion.finish_reason, "stop_reason": completion.stop_string, "token_ids": completion.token_ids if gives_ids else None}],
            "prompt_token_ids": asked.prompt if gives_prompt else None,
            "usage": {"prompt_tokens": prompt, "completion_tokens": drawn, "total_tokens": prompt + drawn, "prompt_tokens_details": {"cached_tokens": completion.cached_tokens}},
            "weight_version": completion.version,
            "weight_versions": version_runs(completion),
        }


def version_runs(completion: Completion) -> list[dict[str, Any]]:
    return [{"version": run.version, "tokens": run.tokens} for run in completion.versions]


async def read_body(request: web.Request) -> Fields:
    """Raises SERVE_REQUEST: no JSON, or no object."""
    try:
        body = await request.json()
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise ServeError("SERVE_REQUEST", "Cannot take the request: its body is no JSON") from error
    if not isinstance(body, dict):
        raise ServeError("SERVE_REQUEST", "Cannot take the request: its body is no object")
    return body
