"""The small model's tokenizer and chat template: byte-level BPE over the family's texts.

What is always written the same way is one token, so that a rollout is a few hundred tokens and a small model can learn on two
cores what a large one reads word by word. Any other text is still encoded, byte by byte at worst.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from .teacher import HIDE_END, LOOK, SHOW, SUBMIT_BUG, SUBMIT_REPAIR

SPECIAL = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
PHRASES = (
    f"<tool: bash>\n{LOOK}\n</tool>", f"<tool: bash>\n{SHOW}\n</tool>", SUBMIT_BUG, SUBMIT_REPAIR, f"{HIDE_END}\n</tool>", "<tool: bash>\nsed -i '", "d;",
    "<tool: bash>\nsed -i '/def ", "/,/return/d' lib.py && cat >> lib.py <<E", "\nE\n</tool>", "[exit code 0; left: ", " turns, ", " tokens, ", " s of commands]",
    "diff --git a/tests/test_lib.py b/tests/test_lib.py\n--- a/tests/test_lib.py\n+++ b/tests/test_lib.py", "\n@@ -", " +", " @@", "from lib import *", "\n assert ", "\n+assert ", " assert ", "Spar.", "Break it.", "Repair it.\n",
)
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def train_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[/:]|[A-Za-z_]+|[0-9]{1,2}|\n *| ?[^\sA-Za-z_0-9/:]+(?: (?! ))?| +|\s"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in SPECIAL])
    tokenizer.add_tokens([AddedToken(phrase, special=False, normalized=False) for phrase in PHRASES])
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, special_tokens=list(SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>")
    fast.chat_template = TEMPLATE
    return fast
