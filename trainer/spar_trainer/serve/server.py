"""The server's application: routes, errors in OpenAI's form, the key, health and metrics."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

from . import openai_routes, sglang_routes, weight_routes
from .errors import ServeError
from .metrics import exposition
from .service import Service

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
OPEN = ("/health", "/metrics")


def create_app(service: Service, key: str | None) -> web.Application:
    """With a key every route but health and metrics wants it as a bearer."""
    app = web.Application(middlewares=[_errors(service), _keyed(key)], client_max_size=service.limits.body_bytes_max)
    app.add_routes([web.get("/health", _health(service)), web.get("/metrics", _metrics(service))])
    for module in (openai_routes, sglang_routes, weight_routes):
        app.add_routes(module.routes(service))
    return app


def _errors(service: Service) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ServeError as error:
            headers = {"Retry-After": str(service.limits.retry_after_seconds)} if error.status in (429, 503) else {}
            return web.json_response(_body(error.code, str(error)), status=error.status, headers=headers)
        except web.HTTPException as error:
            return web.json_response(_body("SERVE_REQUEST", f"Cannot take {request.method} {request.path}: {error.text}"), status=error.status, headers={"Allow": error.headers["Allow"]} if "Allow" in error.headers else {})

    return middleware


def _keyed(key: str | None) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if key is not None and request.path not in OPEN and not hmac.compare_digest(given.encode(), key.encode()):
            raise ServeError("SERVE_KEY", "Cannot take the request: the key is missing or wrong")
        return await handler(request)

    return middleware


def _body(code: str, message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": code, "code": code}}


def _health(service: Service) -> Handler:
    async def health(_: web.Request) -> web.Response:
        if not service.engine.is_alive:
            raise ServeError("SERVE_FAILED", "Cannot serve: the engine's thread has ended")
        if service.engine.is_draining:
            raise ServeError("SERVE_DRAINING", "Cannot take requests: the server is ending")
        return web.json_response({})

    return health


def _metrics(service: Service) -> Handler:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=exposition(service.engine), content_type="text/plain")

    return metrics
