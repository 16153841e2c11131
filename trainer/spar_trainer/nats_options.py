"""How the trainer reaches the bus: option, else environment, else the default, under the names that `spar node` has.

A connection that was made is kept for as long as it takes: it is made again by itself when the server was away.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
import nats.errors
from nats.aio.client import Client

log = logging.getLogger(__name__)

DEFAULT_SERVER = "nats://127.0.0.1:4222"
CONNECT_SECONDS = 10.0
"""Of the first connection, all servers together."""
RECONNECT_SECONDS = 0.5
"""Between two tries to connect again."""

USAGE = {
    "nats": f"servers, joined by commas (SPAR_NATS; default {DEFAULT_SERVER})",
    "nats-prefix": "prefix of the bus (default spar)",
    "nats-creds": "file of credentials (SPAR_NATS_CREDS)",
    "nats-nkey": "file of an nkey's seed (SPAR_NATS_NKEY)",
    "nats-user": "name; the password is SPAR_NATS_PASSWORD",
    "nats-ca": "certificate of the authority (SPAR_NATS_CA)",
    "nats-cert": "certificate of this client (SPAR_NATS_CERT)",
    "nats-key": "its key (SPAR_NATS_KEY)",
}
OF_ENVIRONMENT = ("nats", "nats-creds", "nats-nkey", "nats-ca", "nats-cert", "nats-key")


class NatsOptionsError(Exception):
    """By its `code`: OPTION_INVALID, BUS_CREDENTIAL_NOT_READ, BUS_DENIED, BUS_UNAVAILABLE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class NatsOptions:
    """Files are paths."""

    servers: tuple[str, ...] = (DEFAULT_SERVER,)
    prefix: str = "spar"
    creds: str | None = None
    nkey: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        """Raises NatsOptionsError."""
        if not self.servers:
            raise NatsOptionsError("OPTION_INVALID", "Cannot use an empty --nats: it takes addresses such as nats://host:4222")
        for server in self.servers:
            if not re.fullmatch(r"((nats|tls)://)?[^\s/@]+(:\d+)?", server):
                shown = re.sub(r"//[^/@]*@", "//…@", server)
                raise NatsOptionsError(
                    "OPTION_INVALID",
                    f'Cannot use --nats "{shown}": it takes addresses such as nats://host:4222, joined by commas. Credentials go into --nats-creds, --nats-nkey or --nats-user',
                )
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.prefix):
            raise NatsOptionsError("OPTION_INVALID", f'Cannot use --nats-prefix "{self.prefix}": it takes letters, digits, "-" and "_"')
        if sum(given is not None for given in (self.creds, self.nkey, self.user)) > 1:
            raise NatsOptionsError("OPTION_INVALID", "Cannot use more than one of --nats-creds, --nats-nkey and --nats-user (or their environment variables)")

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        for name, usage in USAGE.items():
            parser.add_argument(f"--{name}", help=usage)

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, environment: Mapping[str, str]) -> NatsOptions:
        """Raises NatsOptionsError."""

        def of(name: str) -> str | None:
            given: str | None = getattr(arguments, name.replace("-", "_"))
            return given if given is not None or name not in OF_ENVIRONMENT else environment.get(f"SPAR_{name.upper().replace('-', '_')}") or None

        servers = of("nats")
        user = of("nats-user")
        return cls(
            servers=(DEFAULT_SERVER,) if servers is None else tuple(server.strip() for server in servers.split(",") if server.strip()),
            prefix=of("nats-prefix") or "spar",
            creds=of("nats-creds"), nkey=of("nats-nkey"), user=user, password=None if user is None else environment.get("SPAR_NATS_PASSWORD", ""),
            ca=of("nats-ca"), cert=of("nats-cert"), key=of("nats-key"),
        )

    async def connect(self, name: str) -> Client:
        """`name` is shown by the server. Raises NatsOptionsError when the first connection does not come about."""
        said: list[Exception] = []

        async def hear(error: Exception) -> None:
            said[:] = [error]
            log.warning("the bus: %s", error or type(error).__name__)

        connecting = nats.connect(
            list(self.servers), name=name, error_cb=hear, max_reconnect_attempts=-1, reconnect_time_wait=RECONNECT_SECONDS, **self._credentials(), **self._tls(),
        )
        try:
            return await asyncio.wait_for(connecting, CONNECT_SECONDS)
        except (nats.errors.Error, OSError, asyncio.TimeoutError) as error:
            raise self._refused(said[0] if said else error) from error

    def _refused(self, error: Exception) -> NatsOptionsError:
        said = str(error) or type(error).__name__
        doing = f"Cannot connect to {', '.join(self.servers)}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return NatsOptionsError("BUS_DENIED", f"{doing}: the server's certificate is not trusted ({said}). Give the authority that signed it: --nats-ca")
        if "authorization" in said.lower() or "authentication" in said.lower():
            return NatsOptionsError("BUS_DENIED", f"{doing}: the server does not take this credential, or wants one ({said}). Give --nats-nkey, --nats-creds or --nats-user")
        return NatsOptionsError("BUS_UNAVAILABLE", f"{doing}: {said}")

    def _credentials(self) -> dict[str, Any]:
        if self.creds is not None:
            return {"user_credentials": _readable("credentials file", self.creds)}
        if self.nkey is not None:
            return {"nkeys_seed_str": _seed(self.nkey)}
        return {} if self.user is None else {"user": self.user, "password": self.password or ""}

    def _tls(self) -> dict[str, Any]:
        if self.ca is None and self.cert is None:
            return {}
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert is not None:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as error:
            raise NatsOptionsError("BUS_CREDENTIAL_NOT_READ", f"Cannot use --nats-ca, --nats-cert and --nats-key: {error}") from error
        return {"tls": context}


def _readable(what: str, path: str) -> str:
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise NatsOptionsError("BUS_CREDENTIAL_NOT_READ", f"Cannot read the {what} {path}: {error}") from error
    return path


def _seed(path: str) -> str:
    seed = Path(_readable("nkey seed", path)).read_text(encoding="latin-1").strip()
    if not re.fullmatch(r"SU[A-Z2-7]+", seed):
        raise NatsOptionsError("BUS_CREDENTIAL_NOT_READ", f'Cannot use {path} as an nkey: it does not hold a seed (one line that starts with "SU")')
    return seed
