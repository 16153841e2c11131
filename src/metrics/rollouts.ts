// Rollouts that are counted: turns, tokens and errors of policies, tool calls, and how rollouts end.

import type { Asked, Used, WorkWatch } from '../rollout/watch.ts'
import type { Metrics, Sample } from './types.ts'

export function countRollouts (metrics: Metrics): WorkWatch {
  /** The version that played last, by role and policy: versions come and go, and each would be a series. */
  const versions = new Map<string, Sample>()
  metrics.read('spar_policy_info', () => [...versions.values()])
  return {
    rollout ({ role, policy }) {
      const who = { role, policy }
      return {
        asked (asked) {
          countTurn(metrics, who, asked)
          if (versions.size < versionsMax || versions.has(`${role} ${policy}`)) versions.set(`${role} ${policy}`, { labels: { ...who, version: asked.version }, value: 1 })
        },
        used: used => {
          const labels = { role, tool: used.call.tool }
          metrics.add('spar_tool_calls_total', { ...labels, outcome: outcomeOf(used) })
          metrics.observe('spar_tool_seconds', labels, (used.endedAt - used.startedAt) / 1000)
        },
        ended: ({ kind }) => metrics.add('spar_rollouts_total', { role, outcome: kind })
      }
    }
  }
}

/** Pairs of role and policy whose versions are told. */
export const versionsMax = 50

function countTurn (metrics: Metrics, who: { role: string; policy: string }, { reply, call, error, startedAt, endedAt }: Asked): void {
  if (reply === null) {
    metrics.add('spar_policy_errors_total', { ...who, code: error?.code ?? 'UNKNOWN' })
    return
  }
  metrics.add('spar_policy_turns_total', { ...who, reply: reply.call !== null ? 'call' : reply.ends ? 'gave_up' : 'malformed' })
  metrics.observe('spar_policy_turn_seconds', who, (endedAt - startedAt) / 1000)
  if (call === null) return
  for (const [kind, tokens] of [['prompt', call.prompt_tokens], ['cached', call.cached_tokens], ['completion', call.completion_tokens]] as const) {
    if (tokens !== null) metrics.add('spar_policy_tokens_total', { ...who, kind }, tokens)
  }
}

function outcomeOf ({ result }: Used): string {
  if (result === null) return 'fault'
  if (result.timedOut) return 'timeout'
  return result.exitCode === 0 ? 'ok' : 'failed'
}
