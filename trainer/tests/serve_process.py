"""A server in a process of its own, and a client of it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

STOPPED_SECONDS_MAX = 30


class ServeProcess:
    def __init__(self, folder: Path, *options: str, key: str | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "SPAR_API_KEY"}
        if key is not None:
            environment["SPAR_API_KEY"] = key
        command = [sys.executable, "-m", "spar_trainer.serve", "--model", str(folder), "--port", "0", "--json", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._said()
        self.ready: dict[str, Any] = json.loads(line)
        self.url: str = self.ready["url"]
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    def _said(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read()

    def cpu_seconds(self) -> float:
        """Of the process so far, on Linux."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def limit_memory(self, more: int) -> None:
        """Bytes of addresses that it may have more than now, on Linux."""
        has = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.prlimit(self._process.pid, resource.RLIMIT_AS, (has + more, has + more))

    def tell_to_end(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        return self._process.wait(STOPPED_SECONDS_MAX)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        async with aiohttp.ClientSession(headers=self.headers) as session, session.post(self.url + path, json=body) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str) -> tuple[int, Any]:
        async with aiohttp.ClientSession(headers=self.headers) as session, session.get(self.url + path) as answer:
            return answer.status, await answer.json()

    async def metric(self, name: str) -> float:
        async with aiohttp.ClientSession() as session, session.get(self.url + "/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " "))

    async def generate(self, ids: list[int], seed: int, tokens: int, **sampling: Any) -> dict[str, Any]:
        body = {"input_ids": ids, "sampling_params": {"max_new_tokens": tokens, "sampling_seed": seed, **sampling}, "return_logprob": True}
        status, answer = await self.post("/generate", body)
        assert status == 200, answer
        return answer


@contextmanager
def serve(folder: Path, *options: str, key: str | None = None) -> Iterator[ServeProcess]:
    process = ServeProcess(folder, *options, key=key)
    try:
        yield process
    finally:
        process.kill()
