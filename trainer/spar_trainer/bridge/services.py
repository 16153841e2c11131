"""NATS's own protocol of services: `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, which `nats micro ls` and `nats micro stats` read.

`nats.micro` of nats-py does not fit: it handles one message of an endpoint at a time, and would time only the opening of a call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.nuid import NUID

QUEUE_GROUP = "q"


@dataclass
class Endpoint:
    """A method with its statistics; times in nanoseconds."""

    name: str
    subject: str
    num_requests: int = 0
    num_errors: int = 0
    last_error: str = ""
    processing_time: int = 0

    def record(self, took: int, error: str) -> None:
        """A call has ended, `error` being empty for OK."""
        self.num_requests += 1
        self.processing_time += took
        if error:
            self.num_errors += 1
            self.last_error = error

    def info(self) -> dict[str, Any]:
        return {"name": self.name, "subject": self.subject, "queue_group": QUEUE_GROUP, "metadata": {}}

    def stats(self) -> dict[str, Any]:
        average = self.processing_time // self.num_requests if self.num_requests else 0
        return {
            "name": self.name, "subject": self.subject, "queue_group": QUEUE_GROUP, "num_requests": self.num_requests,
            "num_errors": self.num_errors, "last_error": self.last_error, "processing_time": self.processing_time,
            "average_processing_time": average,
        }


class ServiceInstance:
    def __init__(self, nc: Client, name: str, version: str) -> None:
        self.id = NUID().next().decode()
        self._nc = nc
        self._name = name
        self._version = version
        self._started = _now()
        self._endpoints: list[Endpoint] = []
        self._subscriptions: list[Subscription] = []

    def add_endpoint(self, name: str, subject: str) -> Endpoint:
        endpoint = Endpoint(name, subject)
        self._endpoints.append(endpoint)
        return endpoint

    async def start(self) -> None:
        self._started = _now()
        for verb in ("PING", "INFO", "STATS"):
            for subject in (f"$SRV.{verb}", f"$SRV.{verb}.{self._name}", f"$SRV.{verb}.{self._name}.{self.id}"):
                self._subscriptions.append(await self._nc.subscribe(subject, cb=self._answer))

    async def stop(self) -> None:
        subscriptions, self._subscriptions = self._subscriptions, []
        if not self._nc.is_closed:
            for subscription in subscriptions:
                await subscription.unsubscribe()

    async def _answer(self, msg: Msg) -> None:
        if msg.reply:
            await msg.respond(json.dumps(self._said(msg.subject.split(".")[1])).encode())

    def _said(self, verb: str) -> dict[str, Any]:
        said: dict[str, Any] = {"name": self._name, "id": self.id, "version": self._version, "metadata": {}}
        if verb == "PING":
            return {**said, "type": "io.nats.micro.v1.ping_response"}
        if verb == "INFO":
            return {**said, "type": "io.nats.micro.v1.info_response", "description": "", "endpoints": [endpoint.info() for endpoint in self._endpoints]}
        return {**said, "type": "io.nats.micro.v1.stats_response", "started": self._started, "endpoints": [endpoint.stats() for endpoint in self._endpoints]}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
