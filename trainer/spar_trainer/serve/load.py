"""A folder of Hugging Face's form to a model that can be served, and everything that is checked before it is.

Weights come from safetensors alone: nothing of a folder is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from .batch import CausalModel, Piece
from .errors import ServeError
from .hugging_face import HuggingFaceModel
from .key_values import KeyValues
from .llama import LlamaModel, llama_shape

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def refused(folder: str | Path, why: str) -> ServeError:
    return ServeError("SERVE_WEIGHTS", f'Cannot serve "{folder}": {why}')


@dataclass(frozen=True)
class ModelSource:
    """How models are read: always to the same dtype and device. `lean` False takes the forward of transformers for every model."""

    dtype: torch.dtype
    device: torch.device
    lean: bool = True

    def load(self, folder: str | Path) -> CausalModel:
        """Raises ServeError SERVE_WEIGHTS: no such folder, no safetensors, a weight is missing, or is no number."""
        config = read_config(folder)
        shape = llama_shape(config) if self.lean else None
        weights = read_weights(Path(folder))
        try:
            model = self._load_any(folder, config) if shape is None else LlamaModel(shape, weights, self.dtype, self.device)
            if not _is_finite(model):
                raise refused(folder, f"in {str(self.dtype).removeprefix('torch.')} it gives logits that are no finite numbers")
            return model
        except KeyError as error:
            raise refused(folder, f"the weight {error} is missing") from error
        except (RuntimeError, ValueError, OSError) as error:
            raise refused(folder, _line(error)) from error

    def _load_any(self, folder: str | Path, config: Any) -> CausalModel:
        if any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or []):
            raise refused(folder, f"{config.model_type} has layers that are not full attention, which this server does not have. Take vLLM or SGLang")
        model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=self.dtype, local_files_only=True, use_safetensors=True)
        return HuggingFaceModel(model, self.device)


@torch.inference_mode()
def _is_finite(model: CausalModel) -> bool:
    """Two tokens through all of it: shapes that do not fit each other (RuntimeError) show here, and not in the first request."""
    kv = KeyValues(model.kv_shape, 1, 2, model.dtype, model.device)
    return bool(torch.isfinite(model.forward([Piece(0, 0, [0, 0], True)], kv)).all())


def read_config(folder: str | Path) -> Any:
    if not (Path(folder) / "config.json").is_file():
        raise refused(folder, "there is no config.json. Give a folder that save_pretrained wrote")
    try:
        return AutoConfig.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise refused(folder, f"its config.json cannot be read: {_line(error)}") from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Every weight of the folder's safetensors, looked at: all of them are numbers."""
    weights: dict[str, Tensor] = {}
    for path in _files(folder):
        try:
            weights.update(load_file(path))
        except (OSError, SafetensorError) as error:
            raise refused(folder, f"{path.name} cannot be read: {_line(error)}") from error
    for name, weight in weights.items():
        if weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
            raise refused(folder, f"the weight {name} holds what is no finite number")
    return weights


def _files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (ValueError, KeyError, AttributeError) as error:
            raise refused(folder, f"{index.name} is no index of weights") from error
        return [folder / Path(name).name for name in names]
    if not (folder / "model.safetensors").is_file():
        raise refused(folder, "there is no model.safetensors")
    return [folder / "model.safetensors"]


def check_same_shapes(folder: str | Path, served: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    """Raises SERVE_WEIGHTS where weights are not those of the model that is served."""
    for name, shape in served.items():
        if name not in found:
            raise refused(folder, f"the weight {name} is missing")
        if found[name] != shape:
            raise refused(folder, f"the weight {name} has the shape {list(found[name])}, and {list(shape)} is served")
    extra = sorted(set(found) - set(served))
    if extra:
        raise refused(folder, f"the weight {extra[0]} is not one of the model that is served")


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise refused(folder, f"its tokenizer cannot be read: {_line(error)}") from error


def end_tokens(folder: str | Path, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens that end a completion: of the generation config, the config and the tokenizer."""
    found: set[int] = set() if tokenizer.eos_token_id is None else {tokenizer.eos_token_id}
    for name in ("generation_config.json", "config.json"):
        path = Path(folder) / name
        value = json.loads(path.read_text()).get("eos_token_id") if path.is_file() else None
        found.update(value if isinstance(value, list) else [] if value is None else [value])
    return frozenset(found)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
