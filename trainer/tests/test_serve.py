"""Goal: the server's tokens are what they are said to be, whatever joins, leaves or changes meanwhile. Method: a real server in a
process of its own, a tiny model of random weights, and the same model in transformers as the measure."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from .serve_process import ServeProcess, serve
from .tiny_model import make_llama, make_tokenizer

END = 258


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {"one": make_llama(root / "one", 1), "two": make_llama(root / "two", 2), "wide": make_llama(root / "wide", 3, hidden_size=64)}


@pytest.fixture(scope="module")
def shared(folders: dict[str, Path]) -> Iterator[ServeProcess]:
    """For tests that leave the weights as they are."""
    with serve(folders["one"], "--name", "tiny", "--weight-version", "v1") as process:
        yield process


def expected_logprobs(folder: Path, prompt: list[int], drawn: list[int], temperature: float) -> torch.Tensor:
    """What a trainer computes: one forward over all of it."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + drawn])).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits / temperature, -1).gather(1, torch.tensor(drawn).unsqueeze(1)).squeeze(1)


def tokens_of(answer: dict[str, Any]) -> list[int]:
    return [entry[1] for entry in answer["meta_info"]["output_token_logprobs"]]


def logprobs_of(answer: dict[str, Any]) -> torch.Tensor:
    return torch.tensor([entry[0] for entry in answer["meta_info"]["output_token_logprobs"]])


def close(got: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)


async def test_every_protocol_gives_the_tokens_and_the_logprobs_that_a_trainer_finds(shared: ServeProcess, folders: dict[str, Path]) -> None:
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Grüße 🦔"}]
    _, tokenized = await shared.post("/tokenize", {"model": "tiny", "messages": messages, "add_generation_prompt": True})
    prompt = tokenized["tokens"]
    assert make_tokenizer().decode(prompt) == "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nGrüße 🦔<|im_end|>\n<|im_start|>assistant\n"
    assert tokenized["max_model_len"] == 2048
    generated = await shared.generate(prompt, seed=5, tokens=60, temperature=0.7, ignore_eos=True)
    drawn, logprobs = tokens_of(generated), logprobs_of(generated)
    close(logprobs, expected_logprobs(folders["one"], prompt, drawn, 0.7))
    assert generated["meta_info"]["finish_reason"] == {"type": "length", "length": 60}
    assert generated["meta_info"]["weight_version"] == "v1"
    options = {"model": "tiny", "max_tokens": 60, "seed": 5, "temperature": 0.7, "top_p": 1, "top_k": -1, "min_p": 0, "repetition_penalty": 1, "return_token_ids": True, "ignore_eos": True}
    _, completion = await shared.post("/v1/completions", {**options, "prompt": prompt, "logprobs": 0})
    choice = completion["choices"][0]
    assert (choice["token_ids"], completion["prompt_token_ids"], choice["finish_reason"]) == (drawn, prompt, "length")
    close(torch.tensor(choice["logprobs"]["token_logprobs"]), logprobs)
    _, chat = await shared.post("/v1/chat/completions", {**options, "messages": messages, "logprobs": True})
    choice = chat["choices"][0]
    assert (choice["token_ids"], chat["prompt_token_ids"], choice["finish_reason"]) == (drawn, prompt, "length")
    close(torch.tensor([entry["logprob"] for entry in choice["logprobs"]["content"]]), logprobs)
    assert choice["message"]["content"] == generated["text"] == completion["choices"][0]["text"] == make_tokenizer().decode(drawn, skip_special_tokens=True)
    assert chat["usage"] == {"prompt_tokens": len(prompt), "completion_tokens": 60, "total_tokens": len(prompt) + 60, "prompt_tokens_details": {"cached_tokens": chat["usage"]["prompt_tokens_details"]["cached_tokens"]}}


async def test_filtered_and_greedy_completions_say_the_logprobs_of_what_was_drawn_from(shared: ServeProcess, folders: dict[str, Path]) -> None:
    greedy = await shared.generate([1, 2, 3], seed=1, tokens=20, temperature=0, ignore_eos=True)
    close(logprobs_of(greedy), expected_logprobs(folders["one"], [1, 2, 3], tokens_of(greedy), 1.0))
    only = await shared.generate([1, 2, 3], seed=1, tokens=20, top_k=1, ignore_eos=True)
    assert tokens_of(only) == tokens_of(greedy)
    close(logprobs_of(only), torch.zeros(20))


async def test_a_long_prompt_is_read_in_several_steps(shared: ServeProcess, folders: dict[str, Path]) -> None:
    prompt = [(at * at) % 251 for at in range(1700)]
    steps = await shared.metric("spar_serve_steps_total")
    answer = await shared.generate(prompt, seed=1, tokens=10, ignore_eos=True)
    assert await shared.metric("spar_serve_steps_total") - steps == 3 + 10
    close(logprobs_of(answer), expected_logprobs(folders["one"], prompt, tokens_of(answer), 1.0))


async def test_a_seed_draws_the_same_whatever_else_is_in_the_batch(folders: dict[str, Path]) -> None:
    prompts = [[(7 * index + at * at) % 256 for at in range(3 + 37 * (index % 9))] for index in range(40)]
    with serve(folders["one"], "--max-batch", "16", "--cache-mb", "0") as process:
        alone = [await process.generate(prompt, seed=index, tokens=10 + index) for index, prompt in enumerate(prompts)]
        steps = await process.metric("spar_serve_steps_total")
        together = await asyncio.gather(*[process.generate(prompt, seed=index, tokens=10 + index) for index, prompt in enumerate(prompts)])
        assert await process.metric("spar_serve_steps_total") - steps < steps / 4, "requests ran side by side"
    for one, other in zip(alone, together, strict=True):
        assert tokens_of(one) == tokens_of(other)
        close(logprobs_of(one), logprobs_of(other))
        assert one["meta_info"]["finish_reason"] == other["meta_info"]["finish_reason"]


async def test_a_turn_that_goes_on_from_another_computes_only_what_is_new(shared: ServeProcess, folders: dict[str, Path]) -> None:
    first = await shared.generate(list(range(40, 140)), seed=11, tokens=30, ignore_eos=True)
    prompt = [*range(40, 140), *tokens_of(first), *range(10, 25)]
    second = await shared.generate(prompt, seed=12, tokens=30, ignore_eos=True)
    # The last token of a turn was drawn and never read.
    assert second["meta_info"]["cached_tokens"] == 129
    close(logprobs_of(second), expected_logprobs(folders["one"], prompt, tokens_of(second), 1.0))
    again = await shared.generate(prompt, seed=12, tokens=30, ignore_eos=True)
    assert again["meta_info"]["cached_tokens"] == len(prompt) - 1
    assert tokens_of(again) == tokens_of(second)
    forked = await shared.generate([*prompt[:50], 3, 3, 3], seed=13, tokens=30, ignore_eos=True)
    assert forked["meta_info"]["cached_tokens"] == 50
    close(logprobs_of(forked), expected_logprobs(folders["one"], [*prompt[:50], 3, 3, 3], tokens_of(forked), 1.0))


async def test_a_group_with_one_prompt_reads_it_once(folders: dict[str, Path]) -> None:
    prompt = [at % 250 for at in range(300)]
    with serve(folders["one"]) as process:
        group = await asyncio.gather(*[process.generate(prompt, seed=seed, tokens=30, ignore_eos=True) for seed in range(8)])
    assert sorted(answer["meta_info"]["cached_tokens"] for answer in group) == [0, *[299] * 7]
    for answer in group:
        close(logprobs_of(answer), expected_logprobs(folders["one"], prompt, tokens_of(answer), 1.0))
    assert len({tuple(tokens_of(answer)) for answer in group}) == 8


async def test_a_completion_ends_at_its_end_token_at_a_stop_and_at_its_length(shared: ServeProcess) -> None:
    free = await shared.generate([5, 6, 7], seed=21, tokens=200, ignore_eos=True)
    drawn = tokens_of(free)
    text = free["text"]
    stopped = await shared.generate([5, 6, 7], seed=21, tokens=200, ignore_eos=True, stop_token_ids=[drawn[17]])
    assert tokens_of(stopped) == drawn[: drawn.index(drawn[17]) + 1]
    assert stopped["meta_info"]["finish_reason"] == {"type": "stop", "matched": drawn[17]}
    plain = next(text[at : at + 2] for at in range(20, len(text)) if text[at : at + 2].isascii() and text[at : at + 2].isprintable())
    cut = await shared.generate([5, 6, 7], seed=21, tokens=200, ignore_eos=True, stop=["never at all", plain])
    assert cut["meta_info"]["finish_reason"] == {"type": "stop", "matched": plain}
    assert cut["text"] == text[: text.index(plain)]
    assert tokens_of(cut) == drawn[: len(tokens_of(cut))]
    ends = [await shared.generate([9, 9, seed], seed=seed, tokens=400) for seed in range(8)]
    natural = [answer for answer in ends if answer["meta_info"]["finish_reason"]["type"] == "stop"]
    assert natural, "one of them draws the end"
    for answer in natural:
        assert tokens_of(answer)[-1] == END
        assert END not in tokens_of(answer)[:-1]
        assert "<|im_end|>" not in answer["text"]


async def _begun(process: ServeProcess, tokens: int) -> None:
    before = await process.metric("spar_serve_drawn_tokens_total")
    while await process.metric("spar_serve_drawn_tokens_total") < before + tokens:
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("way", ["sglang", "vllm"])
async def test_new_weights_are_put_in_while_requests_run(folders: dict[str, Path], way: str) -> None:
    prompt = list(range(60, 100))
    with serve(folders["one"], "--weight-version", "v1") as process:
        long = asyncio.create_task(process.generate(prompt, seed=1, tokens=1500, ignore_eos=True))
        short = await process.generate(prompt, seed=2, tokens=5, ignore_eos=True)
        await _begun(process, 30)
        if way == "sglang":
            status, answer = await process.post("/update_weights_from_disk", {"model_path": str(folders["two"]), "weight_version": "v2"})
            assert (status, answer["success"], answer["weight_version"]) == (200, True, "v2")
        else:
            assert (await process.post("/pause?mode=keep", None))[0] == 200
            drawn = await process.metric("spar_serve_drawn_tokens_total")
            status, answer = await process.post("/collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": str(folders["two"]), "weight_version": "v2"}})
            assert status == 200, answer
            assert (await process.post("/reset_prefix_cache", None))[1] == {"success": True}
            assert await process.metric("spar_serve_drawn_tokens_total") == drawn, "what runs is frozen"
            assert (await process.get("/is_paused"))[1] == {"is_paused": True}
            await process.post("/resume", None)
        after = await process.generate(prompt, seed=3, tokens=20, ignore_eos=True)
        answer = await long
        assert (await process.get("/get_model_info"))[1]["weight_version"] == "v2"
        again = await process.generate([*prompt, *tokens_of(answer)], seed=4, tokens=10, ignore_eos=True)
    assert short["meta_info"]["weight_version"] == "v1"
    meta = answer["meta_info"]
    assert meta["weight_version"] == "v1", "a completion counts for the weights that began it"
    runs = meta["weight_versions"]
    assert [run["version"] for run in runs] == ["v1", "v2"]
    assert sum(run["tokens"] for run in runs) == meta["completion_tokens"] == 1500
    met = runs[0]["tokens"]
    old = expected_logprobs(folders["one"], prompt, tokens_of(answer), 1.0)
    close(logprobs_of(answer)[:met], old[:met])
    assert (logprobs_of(answer)[met:] - old[met:]).abs().max() > 0.1, "the rest is not of the old weights"
    # What begins afterwards is of the new weights alone: nothing that the old ones computed is gone on from.
    assert after["meta_info"]["weight_version"] == "v2"
    assert after["meta_info"]["cached_tokens"] == 0
    close(logprobs_of(after), expected_logprobs(folders["two"], prompt, tokens_of(after), 1.0))
    assert again["meta_info"]["cached_tokens"] <= len(prompt) + 1
    close(logprobs_of(again), expected_logprobs(folders["two"], [*prompt, *tokens_of(answer)], tokens_of(again), 1.0))


def _spoil(source: Path, target: Path, change: Any) -> Path:
    shutil.copytree(source, target)
    weights = load_file(target / "model.safetensors")
    change(weights)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return target


async def test_weights_that_cannot_be_taken_leave_the_old_ones_serving(shared: ServeProcess, folders: dict[str, Path], tmp_path: Path) -> None:
    before = await shared.generate([1, 2, 3], seed=31, tokens=20, ignore_eos=True)
    first, bias = "model.layers.0.mlp.up_proj.weight", "model.layers.0.self_attn.o_proj.bias"

    def spoil_number(weights: dict[str, torch.Tensor]) -> None:
        weights[first][3, 3] = torch.nan

    cut = tmp_path / "cut"
    shutil.copytree(folders["two"], cut)
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:5000])
    without = tmp_path / "without"
    shutil.copytree(folders["two"], without)
    (without / "model.safetensors").unlink()
    cases = {
        tmp_path / "none": "there is no config.json",
        without: "there is no model.safetensors",
        cut: "cannot be read",
        _spoil(folders["two"], tmp_path / "nan", spoil_number): f"{first} holds what is no finite number",
        _spoil(folders["two"], tmp_path / "missing", lambda weights: weights.pop(first)): f"{first}' is missing",
        _spoil(folders["two"], tmp_path / "extra", lambda weights: weights.update({bias: torch.zeros(32)})): f"the weight {bias} is not one",
        _spoil(folders["two"], tmp_path / "huge", lambda weights: weights["lm_head.weight"].fill_(3e38)): "logits that are no finite numbers",
        folders["wide"]: "has the shape",
    }
    for folder, why in cases.items():
        status, answer = await shared.post("/update_weights_from_disk", {"model_path": str(folder), "weight_version": "bad"})
        assert (status, answer["success"], answer["code"], answer["weight_version"]) == (400, False, "SERVE_WEIGHTS", "v1")
        assert why in answer["message"]
    after = await shared.generate([1, 2, 3], seed=31, tokens=20, ignore_eos=True)
    assert tokens_of(after) == tokens_of(before)
    assert after["meta_info"]["weight_version"] == "v1"


async def test_weights_that_the_forward_does_not_read_may_be_there_or_not(tmp_path: Path) -> None:
    """As of a model whose head is its embedding, and of older files: some have the head, or the frequencies of the positions."""
    plain, other = (make_llama(tmp_path / name, seed, tie_word_embeddings=True) for seed, name in enumerate(("plain", "other")))

    def add(weights: dict[str, torch.Tensor]) -> None:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
        weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)

    more = _spoil(plain, tmp_path / "more", add)
    with serve(more) as process:
        for folder in (other, more):
            status, answer = await process.post("/update_weights_from_disk", {"model_path": str(folder)})
            assert (status, answer["success"]) == (200, True), answer


async def test_more_than_the_queue_takes_is_refused_and_nothing_else_is(folders: dict[str, Path]) -> None:
    with serve(folders["one"], "--max-batch", "2", "--queue-max", "3") as process:
        async with aiohttp.ClientSession() as session:

            async def ask(seed: int) -> tuple[int, str | None, Any]:
                body = {"input_ids": [1, 2, 3], "sampling_params": {"max_new_tokens": 600, "sampling_seed": seed, "ignore_eos": True}}
                async with session.post(process.url + "/generate", json=body) as answer:
                    return answer.status, answer.headers.get("Retry-After"), await answer.json()

            answers = await asyncio.gather(*[ask(seed) for seed in range(12)])
        refused = [answer for answer in answers if answer[0] == 429]
        # Three wait, and two run where the engine took them off the queue while others still came.
        assert 3 <= len(refused) <= 9
        assert all(status in (200, 429) for status, _, _ in answers)
        assert all(after == "1" and body["error"]["code"] == "SERVE_BUSY" for _, after, body in refused)
        assert all(body["meta_info"]["completion_tokens"] == 600 for status, _, body in answers if status == 200)


async def test_a_client_that_goes_frees_its_place(folders: dict[str, Path]) -> None:
    with serve(folders["one"], "--max-batch", "1") as process:
        running = asyncio.create_task(process.generate([1], seed=1, tokens=2000, ignore_eos=True))
        await _begun(process, 10)
        waiting = asyncio.create_task(process.generate([2], seed=1, tokens=2000, ignore_eos=True))
        while await process.metric("spar_serve_queue") < 1:
            await asyncio.sleep(0.01)
        for task in (waiting, running):
            task.cancel()
        last = await process.generate([3], seed=2, tokens=5, ignore_eos=True)
        assert len(tokens_of(last)) == 5
        assert await process.metric('spar_serve_requests_total{ending="cancelled"}') == 2
        assert await process.metric("spar_serve_drawn_tokens_total") < 2000
        assert await process.metric("spar_serve_batch_rows") == 0


async def test_a_pause_that_nobody_ends_is_over_in_time(folders: dict[str, Path]) -> None:
    with serve(folders["one"], "--pause-seconds-max", "0.3") as process:
        assert (await process.post("/pause_generation", {"mode": "in_place"}))[0] == 200
        assert len(tokens_of(await process.generate([3], seed=2, tokens=5, ignore_eos=True))) == 5
        assert await process.metric("spar_serve_pauses_overrun_total") == 1
        for path, body in (("/pause", None), ("/pause?mode=abort", None), ("/pause_generation", {"mode": "abort"})):
            status, answer = await process.post(path, body)
            assert status == 400
            assert "never aborted" in answer["error"]["message"]


async def test_what_runs_is_finished_before_the_server_ends(folders: dict[str, Path]) -> None:
    with serve(folders["one"]) as process:
        running = asyncio.create_task(process.generate([1], seed=1, tokens=1000, ignore_eos=True))
        await _begun(process, 10)
        process.tell_to_end()
        while (await process.get("/health"))[0] == 200:
            await asyncio.sleep(0.01)
        status, answer = await process.post("/generate", {"input_ids": [1]})
        assert (status, answer["error"]["code"]) == (503, "SERVE_DRAINING")
        assert len(tokens_of(await running)) == 1000
        assert process.wait() == 0


async def test_what_is_not_finished_when_the_drain_is_over_ends_as_a_fault(folders: dict[str, Path]) -> None:
    with serve(folders["one"], "--max-batch", "1", "--drain-seconds", "0.2") as process:
        asked = [asyncio.create_task(process.post("/generate", {"input_ids": [1], "sampling_params": {"max_new_tokens": 1900, "ignore_eos": True}})) for _ in range(2)]
        await _begun(process, 10)
        process.tell_to_end()
        for status, answer in await asyncio.gather(*asked):
            assert (status, answer["error"]["code"]) == (500, "SERVE_FAILED")
        assert process.wait() == 0


async def test_a_wrong_request_is_told_what_is_wrong(shared: ServeProcess) -> None:
    status, answer = await shared.post("/v1/completions", {"prompt": [1] * 2000, "max_tokens": 49})
    assert (status, answer["error"]["code"]) == (400, "SERVE_CONTEXT")
    assert answer["error"]["message"].startswith("This model's maximum context length is 2048 tokens. However, you requested 2049 tokens (2000 in the prompt, 49 in the completion)")
    ids = {"input_ids": [1]}
    cases: list[tuple[str, Any, int, str]] = [
        ("/v1/completions", {"model": "other", "prompt": "a"}, 404, '"other" is not served here, "tiny" is'),
        ("/v1/completions", {"prompt": []}, 400, "no tokens"),
        ("/v1/completions", {"prompt": [260]}, 400, '"prompt" has to be a list of token ids from 0 to 259'),
        ("/v1/completions", {"prompt": [True]}, 400, '"prompt"'),
        ("/v1/completions", {"prompt": "a", "logprobs": 5}, 400, '"logprobs" can only be 0'),
        ("/v1/completions", {"prompt": "a", "stream": True}, 400, '"stream"'),
        ("/v1/completions", {"prompt": "a", "n": 2}, 400, '"n" can only be 1'),
        ("/v1/completions", {"prompt": "a", "temperature": -1}, 400, '"temperature" has to be a number from 0 to 100'),
        ("/v1/chat/completions", {"messages": [], "max_tokens": 1}, 400, '"messages"'),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}], "tools": [{"type": "function"}]}, 400, '"tools" are not to be had'),
        ("/generate", {}, 400, '"input_ids" is missing'),
        ("/generate", {**ids, "sampling_params": {"max_new_tokens": 0}}, 400, '"max_new_tokens" has to be a whole number from 1'),
        ("/generate", {**ids, "sampling_params": {"repetition_penalty": 1.1}}, 400, '"repetition_penalty" can only be 1'),
        ("/generate", {**ids, "sampling_params": {"stop": ["a"] * 17}}, 400, '"stop" has to be up to 16'),
        ("/generate", {**ids, "sampling_params": {"regex": "a"}}, 400, '"regex"'),
        ("/generate", [1], 400, "no object"),
        ("/update_weights_from_disk", {}, 400, '"model_path" is missing'),
        ("/update_weights_from_disk", {"model_path": "x", "abort_all_requests": True}, 400, '"abort_all_requests"'),
        ("/collective_rpc", {"method": "sleep"}, 400, '"reload_weights" is the only method'),
        ("/init_weight_transfer_engine", {}, 400, "weights come from disk"),
        ("/nothing", {}, 404, "POST /nothing"),
        ("/v1/completions", {"prompt": "a" * 33 * 2**20}, 413, "33554432"),
    ]  # fmt: skip
    for path, body, expected, why in cases:
        status, answer = await shared.post(path, body)
        assert (status, why in answer["error"]["message"]) == (expected, True), (path, body, answer)
    assert (await shared.get("/health_generate"))[0] == 200


async def test_a_key_is_wanted_where_there_is_one(folders: dict[str, Path]) -> None:
    with serve(folders["one"], key="sk-secret") as process:
        assert (await process.get("/v1/models"))[0] == 200
        assert await process.metric("spar_serve_queue") == 0
        process.headers = {"Authorization": "Bearer sk-other"}
        status, answer = await process.post("/update_weights_from_disk", {"model_path": "x"})
        assert (status, answer["error"]["code"]) == (401, "SERVE_KEY")
        assert "secret" not in answer["error"]["message"]
