"""How a policy is written: a folder of transformers for whoever samples from it, and the same or an adapter for a checkpoint.

Weights come as one state dict of whole tensors on the processor, by their names in `Policy` (`distributed.py` gathers it from the shards).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .errors import TrainerError
from .models import ADAPTER_FOLDER, MODEL_FOLDER, VALUE_HEAD_FILE, Policy, one_line

Weights = dict[str, Tensor]
COPIED_BYTES_MAX = 64 * 2**20
"""Of a file beside the weights (tokenizer, chat template) that goes along with them."""
WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".index.json")
HEAD = "value_head."
MODEL = "model."


def save_policy(policy: Policy, weights: Weights, folder: Path, *, origin: str, dtype: torch.dtype) -> None:
    """A model that any reader of transformers' folders takes: an adapter is merged into its weights."""
    whole = merged(policy, weights) if policy.has_adapter else of_model(weights)
    save_whole(policy, {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in whole.items()}, folder, origin)


def save_for_resume(policy: Policy, weights: Weights, folder: Path, *, origin: str) -> None:
    """What `load_policy` reads back, bit for bit."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    if policy.has_adapter:
        adapter = {name.removeprefix(MODEL): tensor for name, tensor in weights.items() if name.startswith(MODEL)}
        policy.model.save_pretrained(folder / ADAPTER_FOLDER, state_dict=adapter)  # type: ignore[operator]
    else:
        save_whole(policy, of_model(weights), folder / MODEL_FOLDER, origin)
    head = {name.removeprefix(HEAD): tensor for name, tensor in weights.items() if name.startswith(HEAD)}
    if head:
        save_file(head, folder / VALUE_HEAD_FILE)


def save_whole(policy: Policy, model: Weights, folder: Path, origin: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    copy_beside(Path(origin), folder)
    dtypes = {tensor.dtype for tensor in model.values() if tensor.is_floating_point()}
    policy.causal.save_pretrained(folder, state_dict=model)
    if len(dtypes) == 1:
        name_dtype(folder / "config.json", str(dtypes.pop()).removeprefix("torch."))


def name_dtype(file: Path, dtype: str) -> None:
    """The configuration says the type that the weights were loaded as; readers take it for that of the file."""
    config = json.loads(file.read_text("utf-8"))
    config.pop("torch_dtype", None)
    config["dtype"] = dtype
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


def of_model(weights: Weights) -> Weights:
    return {name.removeprefix(MODEL): tensor for name, tensor in weights.items() if name.startswith(MODEL)}


def merged(policy: Policy, weights: Weights) -> Weights:
    """W + alpha / r × B A of every layer with an adapter, in float32, under the names of the model without one."""
    config = policy.model.peft_config["default"]  # type: ignore[index, union-attr]
    scaling = config.lora_alpha / config.r
    prefix = "base_model.model."
    plain = {name.removeprefix(prefix): tensor for name, tensor in of_model(weights).items()}
    whole: Weights = {}
    for name, tensor in plain.items():
        if ".lora_" in name:
            continue
        layer = name.removesuffix(".base_layer.weight")
        if layer != name:
            low, high = plain[f"{layer}.lora_A.default.weight"], plain[f"{layer}.lora_B.default.weight"]
            change = high.float() @ low.float()
            tensor = tensor.float() + scaling * (change.T if lies_transposed(policy, layer) else change)
        whole[name.replace(".base_layer.", ".")] = tensor
    return whole


def lies_transposed(policy: Policy, layer: str) -> bool:
    """Whether its weight is kept as [in, out], as in the Conv1D of GPT-2."""
    return bool(getattr(policy.causal.get_submodule(layer), "fan_in_fan_out", False))


def copy_beside(origin: Path, folder: Path) -> None:
    """Tokenizer and template as they are: written again by another version, they might not be the same."""
    if not origin.is_dir():
        save_tokenizer(str(origin), folder)
        return
    for file in sorted(origin.iterdir()):
        if file.is_file() and not file.name.endswith(WEIGHT_SUFFIXES) and file.stat().st_size <= COPIED_BYTES_MAX:
            shutil.copyfile(file, folder / file.name)


def save_tokenizer(name: str, folder: Path) -> None:
    load_tokenizer(name).save_pretrained(folder)


def load_tokenizer(name: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise TrainerError("MODEL_TOKENIZER", f"Cannot load the tokenizer of {name!r}: {one_line(error)}") from None
