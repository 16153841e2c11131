"""`spar-trainer serve`: a small inference server for tests and small models, with token ids, logprobs and hot weights.

It speaks what Spar's protocols ask of vLLM and SGLang, from a folder of Hugging Face's form. For models of real size take those.
"""

from .command import main

__all__ = ["main"]
