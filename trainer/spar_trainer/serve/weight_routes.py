"""New weights while requests run, by SGLang's routes and by vLLM's. What runs is never aborted: modes that would are refused."""

from __future__ import annotations

import asyncio

from aiohttp import web

from . import fields
from .errors import ServeError
from .openai_routes import read_body
from .service import Service


def routes(service: Service) -> list[web.RouteDef]:
    handlers = _Handlers(service)
    transfer = ("/init_weight_transfer_engine", "/start_weight_update", "/update_weights", "/finish_weight_update")
    return [
        web.post("/update_weights_from_disk", handlers.update_from_disk),
        web.post("/pause_generation", handlers.pause_generation),
        web.post("/continue_generation", handlers.resume),
        web.post("/flush_cache", handlers.reset_prefix_cache),
        web.post("/pause", handlers.pause),
        web.post("/resume", handlers.resume),
        web.get("/is_paused", handlers.is_paused),
        web.post("/collective_rpc", handlers.collective_rpc),
        web.post("/reset_prefix_cache", handlers.reset_prefix_cache),
        *[web.post(path, handlers.no_transfer) for path in transfer],
    ]


class _Handlers:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def update_from_disk(self, request: web.Request) -> web.Response:
        """SGLang's. 400 with `success` false and the reason where the weights cannot be taken; the old ones go on serving."""
        body = await read_body(request)
        fields.refuse(body, ("abort_all_requests",))
        try:
            version = await self._service.update(fields.required_text(body, "model_path"), fields.text(body, "weight_version"))
        except ServeError as error:
            if error.code != "SERVE_WEIGHTS":
                raise
            return web.json_response({"success": False, "message": str(error), "code": error.code, "weight_version": self._service.engine.version}, status=error.status)
        return web.json_response({"success": True, "message": f"the weights {version} serve", "num_paused_requests": self._service.engine.running if self._service.engine.is_paused else 0, "weight_version": version})

    async def pause(self, request: web.Request) -> web.Response:
        """vLLM's, whose default mode aborts: only `keep` is taken."""
        if request.query.get("mode") != "keep":
            raise ServeError("SERVE_REQUEST", "Cannot pause: only mode=keep is taken, since what runs is never aborted. Ask /pause?mode=keep")
        await asyncio.wrap_future(self._service.engine.pause())
        return web.json_response({"status": "paused"})

    async def pause_generation(self, request: web.Request) -> web.Response:
        """SGLang's. `retract` there computes anew what runs; here, as with `in_place`, it goes on from what was computed."""
        mode = fields.text(await read_body(request), "mode")
        if mode not in ("in_place", "retract"):
            raise ServeError("SERVE_REQUEST", "Cannot pause: only the modes in_place and retract are taken, since what runs is never aborted")
        await asyncio.wrap_future(self._service.engine.pause())
        return web.json_response({"status": "ok"})

    async def resume(self, _: web.Request) -> web.Response:
        await asyncio.wrap_future(self._service.engine.resume())
        return web.json_response({"status": "resumed"})

    async def is_paused(self, _: web.Request) -> web.Response:
        return web.json_response({"is_paused": self._service.engine.is_paused})

    async def collective_rpc(self, request: web.Request) -> web.Response:
        """vLLM's way to its workers' methods, of which there is one here: `reload_weights` with `weights_path`."""
        body = await read_body(request)
        if body.get("method") != "reload_weights":
            raise ServeError("SERVE_REQUEST", 'Cannot call the workers: "reload_weights" is the only method here')
        arguments = fields.nested(body, "kwargs")
        await self._service.update(fields.required_text(arguments, "weights_path"), fields.text(arguments, "weight_version"))
        return web.json_response({"results": [None]})

    async def reset_prefix_cache(self, _: web.Request) -> web.Response:
        await asyncio.wrap_future(self._service.engine.forget())
        return web.json_response({"success": True})

    async def no_transfer(self, request: web.Request) -> web.Response:
        raise ServeError("SERVE_REQUEST", f"Cannot answer {request.path}: weights come from disk here. Ask /update_weights_from_disk, or /collective_rpc with reload_weights")


