"""What the server says of itself in Prometheus's text form. The queue and the cache have vLLM's names as well, which clients read."""

from __future__ import annotations

import json

from .engine import Engine


def exposition(engine: Engine) -> str:
    counters, lines = engine.counters, []

    def add(name: str, kind: str, *values: tuple[str, float]) -> None:
        lines.append(f"# TYPE {name} {kind}")
        lines.extend(f"{name}{labels} {value:g}" if value < 1e6 else f"{name}{labels} {value:.0f}" for labels, value in values)

    endings = ("completed", "cancelled", "failed", "refused")
    add("spar_serve_requests_total", "counter", *[(f'{{ending="{ending}"}}', getattr(counters, ending)) for ending in endings])
    add("spar_serve_prompt_tokens_total", "counter", ("", counters.prompt_tokens))
    add("spar_serve_cached_tokens_total", "counter", ("", counters.cached_tokens))
    add("spar_serve_drawn_tokens_total", "counter", ("", counters.drawn_tokens))
    add("spar_serve_steps_total", "counter", ("", counters.steps))
    add("spar_serve_weight_updates_total", "counter", ('{ending="served"}', counters.updates), ('{ending="refused"}', counters.updates_failed))
    add("spar_serve_pauses_overrun_total", "counter", ("", counters.pauses_overrun))
    add("spar_serve_weight_version", "gauge", (f"{{version={json.dumps(engine.version)}}}", 1))
    add("spar_serve_batch_rows", "gauge", ("", engine.running))
    add("spar_serve_queue", "gauge", ("", engine.waiting))
    add("spar_serve_kept_bytes", "gauge", ("", engine.cache_bytes))
    add("vllm:num_requests_running", "gauge", ("", engine.running))
    add("vllm:num_requests_waiting", "gauge", ("", engine.waiting))
    return "\n".join(lines) + "\n"
