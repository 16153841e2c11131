"""SGLang's own routes: generate, and what is served. Token ids in, token ids and logprobs out, with the version of the weights."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from aiohttp import web

from . import fields
from .errors import ServeError
from .fields import Fields
from .openai_routes import SEEDS, read_body, version_runs
from .requests import Completion
from .service import Asked, Service

NOT_HERE = ("regex", "json_schema", "ebnf", "structural_tag", "logit_bias", "stop_regex")
HEALTH_SECONDS_MAX = 20.0


def routes(service: Service) -> list[web.RouteDef]:
    handlers = _Handlers(service)
    return [
        web.post("/generate", handlers.generate),
        web.get("/health_generate", handlers.health_generate),
        web.get("/get_model_info", handlers.model_info),
        web.get("/model_info", handlers.model_info),
        web.get("/get_server_info", handlers.server_info),
        web.get("/server_info", handlers.server_info),
    ]


class _Handlers:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def generate(self, request: web.Request) -> web.Response:
        body = await read_body(request)
        fields.refuse(body, ("stream", "top_logprobs_num", "input_embeds", "image_data", "lora_path"))
        parameters = fields.nested(body, "sampling_params")
        fields.refuse(parameters, NOT_HERE)
        most = fields.whole(parameters, "max_new_tokens", 128, 1, 2**31)
        asked = Asked(self._prompt(body), most, fields.whole(parameters, "sampling_seed", None, *SEEDS), parameters)
        completion = await self._service.complete(asked)
        text = self._service.text_of(completion, fields.flag(parameters, "skip_special_tokens", True))
        return web.json_response({"text": text, "output_ids": completion.token_ids, "meta_info": self._meta(body, asked, completion)})

    def _prompt(self, body: Fields) -> list[int]:
        if body.get("input_ids") is not None:
            return fields.token_list(body["input_ids"], "input_ids", self._service.engine.model.vocabulary)
        text = fields.text(body, "text")
        if text is None:
            raise fields.wrong("input_ids", 'is missing, and so is "text"')
        return self._service.texts.encode(text)

    def _meta(self, body: Fields, asked: Asked, completion: Completion) -> dict[str, Any]:
        reason: dict[str, Any] = {"type": completion.finish_reason}
        if completion.finish_reason == "length":
            reason["length"] = asked.max_tokens
        else:
            reason["matched"] = completion.stop_string or completion.matched_token
        meta = {
            "id": fields.text(body, "rid") or uuid4().hex,
            "finish_reason": reason,
            "prompt_tokens": len(asked.prompt),
            "completion_tokens": len(completion.token_ids),
            "cached_tokens": completion.cached_tokens,
            "weight_version": completion.version,
            "weight_versions": version_runs(completion),
        }
        if fields.flag(body, "return_logprob"):
            meta["output_token_logprobs"] = [[logprob, token, None] for logprob, token in zip(completion.logprobs, completion.token_ids, strict=True)]
        return meta

    async def health_generate(self, _: web.Request) -> web.Response:
        """A token is drawn: the engine is not only there, it works."""
        try:
            await asyncio.wait_for(self._service.complete(Asked([0], 1, 0, {})), HEALTH_SECONDS_MAX)
        except asyncio.TimeoutError as error:  # noqa: UP041 - before Python 3.11 it is none of the builtin one
            raise ServeError("SERVE_FAILED", f"Cannot draw a token within {HEALTH_SECONDS_MAX:g} s") from error
        return web.json_response({})

    async def model_info(self, _: web.Request) -> web.Response:
        service = self._service
        return web.json_response({"model_path": str(service.folder), "tokenizer_path": str(service.folder), "is_generation": True, "weight_version": service.engine.version})

    async def server_info(self, _: web.Request) -> web.Response:
        service = self._service
        return web.json_response({
            "served_model_name": service.name,
            "model_path": str(service.folder),
            "weight_version": service.engine.version,
            "context_length": service.engine.context_max,
            "max_running_requests": service.limits.batch_max,
            "max_queued_requests": service.limits.queue_max,
        })  # fmt: skip
