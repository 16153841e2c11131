"""Tokens a second of the server: `python -m tests.serve_load [options of serve]`, on a machine that does nothing else.

A Llama of 1.3 million weights (4 layers, width 128, vocabulary 2,048), 32 conversations at a time. What a core gives is drawn tokens by
the server's own processor time, which others on the machine disturb less than the clock.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .serve_process import ServeProcess, serve
from .tiny_model import make_llama

AT_A_TIME = 32
CONVERSATIONS = 64


@dataclass(frozen=True)
class Load:
    prompt: int
    tokens: int
    turns: int


LOADS = (Load(100, 100, 1), Load(200, 200, 1), Load(200, 60, 6))
BETWEEN_TURNS = 60


async def play(process: ServeProcess, load: Load) -> None:
    places = asyncio.Semaphore(AT_A_TIME)

    async def converse(seed: int) -> None:
        generator = random.Random(seed)
        ids = [generator.randrange(250) for _ in range(load.prompt)]
        async with places:
            for turn in range(load.turns):
                answer = await process.generate(ids, seed * 100 + turn, generator.randrange(load.tokens // 2, load.tokens * 3 // 2), ignore_eos=True)
                ids += [*answer["output_ids"], *(generator.randrange(250) for _ in range(BETWEEN_TURNS))]

    await asyncio.gather(*[converse(seed) for seed in range(CONVERSATIONS)])


async def measure(process: ServeProcess, load: Load) -> str:
    cpu, clock = process.cpu_seconds(), time.perf_counter()
    await play(process, load)
    cpu, clock = process.cpu_seconds() - cpu, time.perf_counter() - clock
    drawn, read, cached = [await process.metric(f"spar_serve_{name}_tokens_total") for name in ("drawn", "prompt", "cached")]
    return f"{load.turns} turns, prompt of {load.prompt}, about {load.tokens} tokens: {drawn / cpu:.0f} tokens/s of a core, {drawn / clock:.0f} by the clock; {read - cached:.0f} of {read:.0f} prompt tokens were computed"


if __name__ == "__main__":
    for kv_heads in (4, 2):
        folder = make_llama(Path(tempfile.mkdtemp()), 0, vocab_size=2048, hidden_size=128, intermediate_size=344, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=kv_heads, max_position_embeddings=4096)
        for load in LOADS:
            with serve(folder, *sys.argv[1:]) as process:
                print(f"{kv_heads} KV heads, {asyncio.run(measure(process, load))}", flush=True)
