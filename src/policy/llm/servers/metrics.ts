// The load of an endpoint, read off its Prometheus metrics: turns that wait in its queue, and how full its KV cache is. vLLM
// and SGLang have names of their own; vLLM renamed one. Several engines behind one address: queues add up, the fullest counts.

export interface Load { waiting: number; /** 0 to 1; null: it does not say. */ kvUsage: number | null }

const waitingNames = new Set(['vllm:num_requests_waiting', 'sglang:num_queue_reqs'])
const usageNames = new Set(['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc', 'sglang:token_usage'])

/** null: these are the metrics of something else. */
export function readLoad (metrics: string): Load | null {
  let waiting: number | null = null
  let kvUsage: number | null = null
  for (const line of metrics.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{.*\})?\s+(\S+)/.exec(line)
    if (match === null) continue
    const value = Number(match[2])
    if (!Number.isFinite(value)) continue
    if (waitingNames.has(match[1]!)) waiting = (waiting ?? 0) + value
    if (usageNames.has(match[1]!)) kvUsage = Math.max(kvUsage ?? 0, value)
  }
  return waiting === null ? null : { waiting, kvUsage }
}
