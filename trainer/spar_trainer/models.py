"""The policy as the learner needs it: for every sampled token its logprob, the entropy there, and the critic's value.

A causal language model of transformers, all of its weights or an adapter (LoRA), and for PPO a linear head on the last hidden state.
Segments are packed into one row where the model really keeps them apart by their position ids, which is tried out on the model at
hand (`keeps_segments_apart`), not assumed; else they are padded. Logits are only made of sampled positions, a chunk at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .errors import TrainerError
from .losses import logprobs_from_hidden, logprobs_from_logits

ADAPTER_FOLDER = "adapter"
MODEL_FOLDER = "model"
VALUE_HEAD_FILE = "value_head.safetensors"


class Predictions(NamedTuple):
    """Of the n selected positions, in row order. A tuple, since FSDP looks into tuples for what has a gradient, and no views of
    other tensors, on which its hooks would not hold."""

    logprobs: Tensor
    """float32 [n], of the targets"""
    entropy: Tensor
    """float32 [n], nats"""
    values: Tensor | None
    """float32 [n], before the target was drawn"""


class Policy(nn.Module):
    def __init__(self, model: nn.Module, *, value_head: bool = False) -> None:
        super().__init__()
        self.model = model
        causal = self.causal
        self.form: Literal["packed", "padded"] = "packed" if keeps_segments_apart(causal) else "padded"
        self.direct_head = head_is_direct(causal)
        self.value_head = value_head_of(causal) if value_head else None

    @property
    def causal(self) -> Any:
        """The model of transformers, below the adapter."""
        return self.model.get_base_model() if self.has_adapter else self.model

    @property
    def has_adapter(self) -> bool:
        return hasattr(self.model, "disable_adapter")

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, attention_mask: Tensor | None, select: Tensor, targets: Tensor, temperature: float = 1.0
    ) -> Predictions:
        """All [rows, T]; `select` bool: where predictions are wanted. `attention_mask` None: packed."""
        causal = self.causal
        fed = {"input_ids": input_ids, "position_ids": position_ids, "attention_mask": attention_mask, "use_cache": False}
        if self.direct_head:
            hidden = backbone(causal)(**fed).last_hidden_state[select]
            logprobs, entropy = logprobs_from_hidden(hidden, causal.get_output_embeddings(), targets[select], temperature=temperature)
        else:
            out = causal(**fed, output_hidden_states=self.value_head is not None)
            hidden = out.hidden_states[-1][select] if self.value_head is not None else None
            logprobs, entropy = logprobs_from_logits(out.logits[select], targets[select], temperature=temperature)
        values = self.value_head(hidden).squeeze(-1).float().clone() if self.value_head is not None else None
        return Predictions(logprobs.clone(), entropy.clone(), values)

    @contextlib.contextmanager
    def as_reference(self) -> Iterator[Policy]:
        """The model that training started from, where it is this one with its adapter off."""
        with self.model.disable_adapter():  # type: ignore[operator]
            yield self

    def blocks(self) -> list[nn.Module]:
        """The decoder layers: what is sharded, and computed again, as a unit."""
        names = set(getattr(self.causal, "_no_split_modules", None) or ())
        return [module for module in self.causal.modules() if type(module).__name__ in names]


def backbone(causal: Any) -> nn.Module:
    """The model without its head on the vocabulary."""
    return getattr(causal, causal.base_model_prefix)


def value_head_of(causal: Any) -> nn.Linear:
    """All zero: the first advantages are the rewards themselves, not the noise of a critic that knows nothing."""
    hidden = causal.get_output_embeddings().weight.shape[-1]
    head = nn.Linear(hidden, 1, dtype=torch.float32)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


@torch.no_grad()
def head_is_direct(causal: Any) -> bool:
    """Whether logits are the output embeddings of the last hidden state, with nothing in between (some models scale or cap them)."""
    if getattr(causal.config.get_text_config(), "final_logit_softcapping", None) is not None:
        return False
    ids = probe_ids(causal, 8)
    direct = causal.get_output_embeddings()(backbone(causal)(input_ids=ids, use_cache=False).last_hidden_state)
    logits = causal(input_ids=ids, use_cache=False).logits
    return bool((direct - logits).abs().max() <= 1e-2 * logits.abs().max())


@torch.no_grad()
def keeps_segments_apart(causal: Any) -> bool:
    """Whether of two segments in one row, told apart by position ids alone, the second sees nothing of the first.

    Tried with two different first segments: what the second says must stay the same to the bit. Models with a state or a
    convolution, and versions of transformers that do not look at position ids, fail this.
    """
    ids = probe_ids(causal, 20)
    positions = torch.cat([torch.arange(12), torch.arange(8)])[None].to(ids.device)
    other = torch.cat([ids[:, :12].flip(-1), ids[:, 12:]], dim=-1)
    try:
        one, two = (causal(input_ids=row, position_ids=positions, use_cache=False).logits[:, 12:] for row in (ids, other))
    except TypeError:
        raise TrainerError("MODEL_UNSUPPORTED", f"Cannot train {type(causal).__name__}: it takes no position ids; use a transformer") from None
    return torch.equal(one, two)


def probe_ids(causal: Any, length: int) -> Tensor:
    vocabulary = causal.config.get_text_config().vocab_size
    device = next(causal.parameters()).device
    return torch.arange(1, length + 1, device=device)[None] * 7 % vocabulary


@dataclass(frozen=True)
class LoadedPolicy:
    policy: Policy
    reference: Policy | None
    """A second copy of the model that training started from. None: there is no KL, or the adapter is switched off for it."""


def load_policy(config: ModelConfig, *, value_head: bool, reference: bool, checkpoint: Path | None = None, device: torch.device | None = None) -> LoadedPolicy:
    """The model of the options, or of a checkpoint. All copies are built before any is sharded."""
    whole = checkpoint / MODEL_FOLDER if checkpoint is not None and config.lora_r == 0 else config.model
    model = load_causal(str(whole), config, frozen=config.lora_r > 0)
    if config.lora_r > 0:
        model = with_adapter(model, config, checkpoint / ADAPTER_FOLDER if checkpoint is not None else None)
    policy = Policy(model, value_head=value_head)
    if policy.value_head is not None and checkpoint is not None:
        load_value_head(policy.value_head, checkpoint / VALUE_HEAD_FILE)
    if config.activation_checkpointing:
        compute_again(policy.causal)
    policy.train()
    second = Policy(load_causal(config.model, config, frozen=True)) if reference and config.lora_r == 0 else None
    place = device or torch.device("cpu")
    return LoadedPolicy(policy.to(place), second.eval().to(place) if second is not None else None)


def load_causal(name: str, config: ModelConfig, *, frozen: bool) -> Any:
    """Weights that are trained are fp32, others as they are computed."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    if name.startswith(("/", ".", "~")) and not Path(name).is_dir():
        raise TrainerError("MODEL_UNREADABLE", f"Cannot load the model {name!r}: there is no such folder")
    dtype = torch.bfloat16 if frozen and config.dtype == "bf16" else torch.float32
    try:
        model = AutoModelForCausalLM.from_pretrained(name, dtype=dtype, attn_implementation=config.attention)
    except (OSError, ValueError, ImportError) as error:
        raise TrainerError("MODEL_UNREADABLE", f"Cannot load the model {name!r}: {one_line(error)}. Name a folder that transformers wrote, or a model of the hub") from None
    model.eval()
    without_dropout(model)
    return model.requires_grad_(not frozen)


def without_dropout(causal: Any) -> None:
    """In training too: the sampler had none, and a logprob with it is of another policy. Models keep the share in a Dropout, in
    numbers of their modules, and in their configuration."""
    for module in causal.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
    for place in (*causal.modules(), causal.config, causal.config.get_text_config()):
        for name, value in list(vars(place).items()):
            if "drop" in name and isinstance(value, float):
                setattr(place, name, 0.0)


def with_adapter(model: Any, config: ModelConfig, saved: Path | None) -> Any:
    from peft import LoraConfig, PeftModel, get_peft_model

    if saved is not None:
        return PeftModel.from_pretrained(model, saved, is_trainable=True)
    targets: Any = "all-linear" if config.lora_targets == ("all-linear",) else list(config.lora_targets)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        try:
            return get_peft_model(model, LoraConfig(r=config.lora_r, lora_alpha=config.lora_alpha, target_modules=targets, task_type="CAUSAL_LM"))
        except ValueError as error:
            raise TrainerError("MODEL_ADAPTER", f"Option --lora-targets does not fit the model {config.model!r}: {one_line(error)}") from None


def load_value_head(head: nn.Linear, file: Path) -> None:
    from safetensors.torch import load_file

    head.load_state_dict(load_file(file))


def compute_again(causal: Any) -> None:
    """Activation checkpointing, without the re-entrant form, which FSDP does not go with."""
    kwargs = {"use_reentrant": False}
    if hasattr(causal, "activation_checkpointing_enable"):
        causal.activation_checkpointing_enable(activation_checkpointing_kwargs=kwargs)
    else:
        causal.gradient_checkpointing_enable(gradient_checkpointing_kwargs=kwargs)


def one_line(error: BaseException, most: int = 300) -> str:
    return " ".join(str(error).split())[:most]
