"""How the trainer reaches the bus: which option counts, and what is refused."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from spar_trainer import nats_options
from spar_trainer.nats_options import NatsOptions, NatsOptionsError

from .conftest import NatsServer


def read(*arguments: str, **environment: str) -> NatsOptions:
    parser = argparse.ArgumentParser()
    NatsOptions.add_arguments(parser)
    return NatsOptions.from_arguments(parser.parse_args(arguments), environment)


def refused(code: str, *arguments: str, **environment: str) -> str:
    with pytest.raises(NatsOptionsError) as error:
        read(*arguments, **environment)
    assert error.value.code == code
    return str(error.value)


def test_an_option_comes_before_the_environment_and_that_before_the_default() -> None:
    assert read() == NatsOptions(("nats://127.0.0.1:4222",), "spar")
    assert read(SPAR_NATS="nats://a,tls://b:1", SPAR_NATS_NKEY="key.nk", SPAR_NATS_CA="").servers == ("nats://a", "tls://b:1")
    assert read("--nats", "c", "--nats-prefix", "other", "--nats-ca", "ca.pem", SPAR_NATS="a") == NatsOptions(("c",), "other", ca="ca.pem")
    user = read("--nats-user", "u", SPAR_NATS_PASSWORD="hidden")
    assert user.password == "hidden" and "hidden" not in repr(user)


def test_what_cannot_be_meant_is_refused_without_telling_a_secret() -> None:
    assert "secret" not in refused("OPTION_INVALID", "--nats", "nats://u:secret@host")
    refused("OPTION_INVALID", "--nats", " , ")
    refused("OPTION_INVALID", "--nats-prefix", "a.b")
    assert "--nats-nkey" in refused("OPTION_INVALID", "--nats-creds", "a", SPAR_NATS_NKEY="b")


async def test_a_key_that_is_none_and_a_server_that_is_not_there_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_options, "CONNECT_SECONDS", 0.5)
    (tmp_path / "key.nk").write_text("not a seed")
    for options, code in (
        (NatsOptions(nkey=str(tmp_path / "none")), "BUS_CREDENTIAL_NOT_READ"), (NatsOptions(nkey=str(tmp_path / "key.nk")), "BUS_CREDENTIAL_NOT_READ"),
        (NatsOptions(ca=str(tmp_path / "key.nk")), "BUS_CREDENTIAL_NOT_READ"), (NatsOptions(("127.0.0.1:1",)), "BUS_UNAVAILABLE"),
    ):
        with pytest.raises(NatsOptionsError) as error:
            await options.connect("test")
        assert error.value.code == code, options


async def test_it_connects(server: NatsServer) -> None:
    nc = await NatsOptions((server.url,)).connect("test")
    assert nc.is_connected
    await nc.close()
