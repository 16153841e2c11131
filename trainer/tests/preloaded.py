"""What every process of a test of training starts with, loaded once (`training.py`)."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything reads it

import peft  # noqa: E402, F401
import torch  # noqa: E402
import torch.utils.tensorboard  # noqa: E402, F401
import transformers.models.llama.modeling_llama  # noqa: E402, F401
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402, F401

import spar_trainer.commands  # noqa: E402, F401

torch.set_num_threads(1)
