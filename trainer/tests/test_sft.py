"""Cloning: what is taken of runs and conversations, that it is learned, and that it goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spar_trainer.chat import segment_of
from spar_trainer.config import SftConfig
from spar_trainer.errors import TrainerError
from spar_trainer.metrics import read_metrics
from spar_trainer.options import resolve
from spar_trainer.sft import batches, read_all

from .runs import VOCABULARY, write_run
from .tiny_model import TEMPLATE, make_llama, make_tokenizer
from .training import SMALL, flags, furthest, run, weights

CHAT = [{"role": "user", "content": "2+2"}, {"role": "assistant", "content": "4"}, {"role": "user", "content": "3+3"}, {"role": "assistant", "content": "six"}]
MARKED = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% if message.role == 'assistant' %}{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ message.content }}<|im_end|>{% endif %}\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def sft_config(**changes: Any) -> SftConfig:
    return resolve(SftConfig, {"model": "none", "out": "none", "source": "none", **SMALL, **changes})


def said(template: str, messages: list[dict[str, str]]) -> str:
    """What the mask of a conversation holds, as text."""
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    segment = segment_of(json.dumps({"messages": messages}).encode(), "chat.jsonl:1", tokenizer)
    return tokenizer.decode(segment.token_ids[segment.mask == 1])


def test_the_mask_is_what_the_assistant_said() -> None:
    assert said(MARKED, CHAT) == "4<|im_end|>six<|im_end|>"
    assert said(TEMPLATE, CHAT) == "4<|im_end|>\nsix<|im_end|>\n"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "a line is"), (b'{"messages": 3}', "a line is"), (b'{"messages": [{"role": "user", "content": "x"}]}', "with a reply of the assistant"),
        (b"[]", "a line is"), (b'{"messages": [{"content": "x"}]}', "a line is"),
    ],
)
def test_a_line_that_is_no_conversation_is_named(line: bytes, why: str) -> None:
    with pytest.raises(TrainerError, match=why) as error:
        segment_of(line, "chat.jsonl:7", make_tokenizer())
    assert "chat.jsonl:7" in str(error.value) and error.value.code == "SFT_CHAT"


def test_a_template_that_drops_what_was_said_before_is_refused() -> None:
    """As those do that leave out the reasoning of earlier turns: the mask would be a guess."""
    forgetful = TEMPLATE.replace("{{ message.content }}", "{{ message.content if loop.last or message.role == 'user' else '…' }}")
    with pytest.raises(TrainerError, match="renders message 1 differently"):
        said(forgetful, CHAT)


def test_of_a_run_what_was_solved_or_valid_is_taken(tmp_path: Path) -> None:
    write_run(tmp_path / "run", groups=6, spoiled=(0,))
    told: list[str] = []
    def ids(**options: Any) -> set[str]:
        return {segments[0].sample_id for segments in read_all(sft_config(source=str(tmp_path / "run"), **options), VOCABULARY, told.append)}
    every, good = ids(only="all"), ids()
    assert len(every) == 23 and good < every and any("SAMPLE_POISONED" in one for one in told)
    lines = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text().splitlines()]
    assert good == {f"r1.{line['rollout_id']}" for line in lines if line["reward"] > -0.5 and f"r1.{line['rollout_id']}" in every} | {
        f"r1.{line['rollout_id']}" for line in lines if line["role"] == "breaker"
    }
    assert ids(roles="breaker") | ids(roles="solver") == good and not ids(roles="breaker") & ids(roles="solver")
    with pytest.raises(TrainerError, match="nothing to clone") as error:
        read_all(sft_config(source=str(tmp_path / "run"), max_context=16), 5, told.append)
    assert error.value.code == "SFT_NOTHING", "of a model with five tokens everything is refused"


def test_each_pass_has_every_sample_once_in_an_order_of_its_own() -> None:
    config = sft_config(passes=2, samples_per_step=4)
    steps = list(batches(10, config))
    assert [len(step) for step in steps] == [4, 4, 2] * 2
    first, second = np.concatenate(steps[:3]), np.concatenate(steps[3:])
    assert sorted(first) == sorted(second) == list(range(10)) and list(first) != list(second)
    assert steps == list(batches(10, config))


def test_cloning_learns_and_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    make_llama(tmp_path / "model")
    write_run(tmp_path / "run", groups=2, breakers=False)
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps({"messages": CHAT}) + "\n" for _ in range(3)))
    def clone(out: str, passes: int) -> None:
        options = {"model": tmp_path / "model", "out": tmp_path / out, "source": f"{tmp_path / 'run'},{tmp_path / 'chat.jsonl'}", "samples_per_step": 4, "passes": passes}
        done = run("sft", *flags(**{**SMALL, **options, "learning_rate": 3e-3}))
        assert done.returncode == 0, done.stderr
    clone("straight", 12)
    clone("parts", 5)
    clone("parts", 12)
    losses = [line["loss"] for line in read_metrics(tmp_path / "straight")]
    assert losses[-1] < 0.6 * losses[0]
    assert [line["loss"] for line in read_metrics(tmp_path / "parts")] == losses
    assert furthest(weights(tmp_path / "parts" / "policy"), weights(tmp_path / "straight" / "policy")) == 0
