"""Every option of the trainer, with its default, its rule and its unit. `options.py` resolves them.

The defaults are those of Self-play SWE-RL where it says them (arXiv 2512.18552): no standard deviation, length-weighted mean, token sum
over the maximal context, clip 0.2 / 0.28, no KL, 8 rollouts a group, 8 policy steps of age, 30 steps of warm-up to 3e-6.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from .options import REQUIRED, ByRole, as_json, by_role, number, off_or_above, one_of, option, switch, text, texts, whole

MAX_AGE = ByRole(breaker=24, solver=8)
FREE = text("a text", may_be_empty=True)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What is trained, and on what: options of `train` and `sft`."""

    model: str = option(REQUIRED, text("a folder or a name of the hub"), "the model that training starts from, as transformers writes it")
    out: str = option(REQUIRED, text("a folder"), "where checkpoints, metrics and the policy go; a run that is there goes on")
    learning_rate: float = option(3e-6, number(above=True), "of AdamW, after the warm-up")
    warmup_steps: int = option(30, whole(0), "steps in which the learning rate grows from 0, linearly")
    decay_steps: int = option(0, whole(0), "steps over which the learning rate falls, linearly, to --decay-to of it; 0: it stays")
    decay_to: float = option(0.1, number(0, 1), "share of the learning rate that is left after --decay-steps")
    weight_decay: float = option(0.0, number(), "of AdamW; not of vectors (norms, biases)")
    max_grad_norm: float = option(1.0, number(above=True), "the gradient is scaled down to this norm")
    micro_batch_tokens: int = option(16_384, whole(16), "tokens of one forward pass on one rank; a longer segment gets one of its own")
    max_context: int = option(131_072, whole(16), "tokens; what a token sum is divided by, and the longest segment that is trained on")
    dtype: str = option("bf16", one_of("bf16", "fp32"), "of the computation; the weights that are trained are kept in fp32")
    attention: str = option("sdpa", one_of("sdpa", "eager"), "how transformers computes attention")
    activation_checkpointing: bool = option(False, switch(), "keep only what enters each layer, and compute the rest again")
    lora_r: int = option(0, whole(0), "rank of the adapter; 0 trains all weights")
    lora_alpha: float = option(32.0, number(above=True), "the adapter counts alpha / r")
    lora_targets: tuple[str, ...] = option(("all-linear",), texts("names of modules, or all-linear"), "the modules that get an adapter")
    device: str = option("auto", one_of("auto", "cpu", "cuda"), "auto: the GPUs where there are any")
    threads: int = option(0, whole(0), "of the processor, for each rank; 0: as torch has it")
    seed: int = option(1, whole(0), "of what is drawn at random")
    checkpoint_every: int = option(5, whole(1), "steps")
    checkpoints_kept: int = option(3, whole(1), "checkpoints; older ones are removed")
    checkpoint_failures_max: int = option(3, whole(1), "checkpoints in a row that cannot be written before training ends")
    skipped_steps_max: int = option(10, whole(1), "steps in a row without a finite loss and gradient before training ends")
    accept_changes: bool = option(False, switch(), "go on with a checkpoint that other options were used for")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(ModelConfig):
    source: tuple[str, ...] = option(REQUIRED, texts("run folders, or nats"), "where samples come from; folders with commas between them")
    runs: tuple[str, ...] = option((), texts("ids of runs"), "of source nats: the runs whose samples are taken, with commas between them; none: all")
    trainer: str = option("trainer", text("a name"), "of source nats: whose place in the stream; the same name goes on where it was")
    nats: str = option("", FREE, "servers of the bus, with commas between them (else SPAR_NATS, else nats://127.0.0.1:4222)")
    nats_prefix: str = option("", FREE, "of the bus (spar)")
    nats_creds: str = option("", FREE, "file of credentials (else SPAR_NATS_CREDS)")
    nats_nkey: str = option("", FREE, "file of an nkey's seed (else SPAR_NATS_NKEY)")
    nats_user: str = option("", FREE, "name; the password is SPAR_NATS_PASSWORD")
    nats_ca: str = option("", FREE, "certificate of the authority (else SPAR_NATS_CA)")
    nats_cert: str = option("", FREE, "certificate of this client (else SPAR_NATS_CERT)")
    nats_key: str = option("", FREE, "its key (else SPAR_NATS_KEY)")
    publish: str = option("", FREE, "name of the policy that nodes play with: each version is announced to them on the bus")
    servers: tuple[str, ...] = option((), texts("spar=, sglang= or vllm= and an address"), "inference servers that load each version, with commas between them")
    publish_every: int = option(1, whole(1), "steps")
    versions_kept: int = option(3, whole(1), "published versions that stay in policies/")
    steps: int = option(150, whole(1), "optimizer steps of the whole run; training ends after them")
    algorithm: str = option("grpo", one_of("grpo", "ppo"), "advantages over a group, or over the tokens of a rollout by a critic")
    baseline: str = option("length_weighted_mean", one_of("length_weighted_mean", "mean", "leave_one_out"), "grpo: what is taken off a reward")
    scale: str = option("none", one_of("none", "std"), "grpo: std divides by the standard deviation of the group")
    gamma: float = option(1.0, number(0, 1), "ppo: discount a token")
    gae_lambda: float = option(0.95, number(0, 1), "ppo: of generalized advantage estimation")
    value_coefficient: float = option(0.5, number(), "ppo: what the critic's loss counts")
    value_clip: float = option(0.2, number(), "ppo: a value moves by this at most in a step; 0: no limit")
    aggregation: str = option("token_sum", one_of("token_sum", "token_mean", "sequence_mean"), "sum over tokens / (rollouts × max_context); mean over tokens; mean over rollouts of means")
    clip_low: float = option(0.2, number(0, 1), "the ratio of a token counts down to 1 − this")
    clip_high: float = option(0.28, number(), "the ratio of a token counts up to 1 + this")
    dual_clip: float = option(0.0, off_or_above(1), "with a negative advantage a token's loss is at most this × |advantage|; 0: off")
    importance_cap: float = option(0.0, number(), "ratios are to the trainer's own logprobs, corrected by at most this; 0: ratios are to the sampler's")
    kl_coefficient: float = option(0.0, number(), "of KL to the model that training started from; 0: no reference model")
    kl_estimator: str = option("k3", one_of("k2", "k3"), "of that KL; k1 has no gradient")
    temperature: float = option(1.0, number(above=True), "that the rollouts were sampled at, where logprobs are of the processed logits")
    samples_per_step: int = option(64, whole(1), "rollouts with a loss; whole groups are taken until there are so many")
    groups_per_step: int = option(0, whole(0), "groups with a loss; 0: by samples_per_step")
    epochs: int = option(1, whole(1), "optimizer updates with the same batch")
    group_size: int = option(8, whole(2), "rollouts of a group whose samples do not say it")
    group_members_min: int = option(2, whole(2), "rewards that a group needs which never becomes whole")
    group_age: float = option(1_800.0, number(above=True), "seconds after which a group is closed as it is")
    max_age: ByRole = option(MAX_AGE, by_role(whole(0), MAX_AGE), "policy steps since the oldest token of a rollout was drawn")
    unversioned: str = option("refuse", one_of("refuse", "fresh"), "rollouts of versions that are no step-N: dropped, or taken as of this step")
    gibberish: bool = option(True, switch(), "drop rollouts with a rare token (id > 100,000) that was drawn by a chance below e^−2 / vocabulary")
    roles: str = option("both", one_of("both", "breaker", "solver"), "whose rollouts are trained on")
    take_most: int = option(256, whole(1), "samples taken from the source at once")
    idle_checkpoint: float = option(60.0, number(above=True), "seconds of waiting for a step after which what was used or dropped is acknowledged by a checkpoint")
    consumed_ids_kept: int = option(200_000, whole(1_000), "source nats: acknowledged ids that a checkpoint still holds")
    quarantine_files_max: int = option(1_000, whole(0), "refused samples that are kept; more are only counted")


@dataclass(frozen=True, kw_only=True)
class SftConfig(ModelConfig):
    source: tuple[str, ...] = option(REQUIRED, texts("run folders and .jsonl files"), "what is cloned: recorded rollouts, or conversations {\"messages\": […]}")
    only: str = option("good", one_of("good", "all"), "of run folders: solved attempts and valid bugs, or every rollout with tokens")
    roles: str = option("both", one_of("both", "breaker", "solver"), "whose rollouts are cloned")
    passes: int = option(1, whole(1), "times that every sample is used")
    samples_per_step: int = option(16, whole(1), "samples of one optimizer step")


SAME_RUN = {
    "out", "source", "micro_batch_tokens", "attention", "activation_checkpointing", "device", "threads", "steps", "passes", "checkpoint_every", "checkpoints_kept", "checkpoint_failures_max", "skipped_steps_max",
    "accept_changes", "runs", "trainer", "nats", "nats_prefix", "nats_creds", "nats_nkey", "nats_user", "nats_ca", "nats_cert", "nats_key",
    "publish", "servers", "publish_every", "versions_kept", "take_most", "idle_checkpoint", "consumed_ids_kept", "quarantine_files_max", "group_age",
}
"""Options that may differ when a run goes on: they change what a step computes by rounding at most."""


def lasting(config: ModelConfig) -> dict[str, Any]:
    """The options that must stay as they are when a run goes on."""
    return {name: value for name, value in as_json(config).items() if name not in SAME_RUN}


def config_hash(config: ModelConfig) -> str:
    return hashlib.sha256(json.dumps(lasting(config), sort_keys=True).encode()).hexdigest()[:16]
