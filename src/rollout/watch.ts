// Who looks on while rollouts are played: counts them, traces them. Told what happened, after it did; changes nothing.

import type { Reply, Role, ToolCall } from '../domain.ts'
import type { PlainError } from '../errors.ts'
import type { ModelCall } from '../workers/codec/tokens.ts'
import type { ToolResult } from './tools.ts'

/** `version`: which weights replied, as far as anybody knows. `call`: of a model. Times are milliseconds since 1970. */
export interface Asked { turn: number; reply: Reply | null; call: ModelCall | null; version: string; error: Pick<PlainError, 'code' | 'message'> | null; startedAt: number; endedAt: number }

/** `result` is null where the tool could not be run, by a fault of ours. */
export interface Used { turn: number; call: ToolCall; result: ToolResult | null; error: Pick<PlainError, 'code' | 'message'> | null; startedAt: number; endedAt: number }

export interface RolloutWatch {
  asked (asked: Asked): void
  used (used: Used): void
  /** How it ended, in the words of its machine. */
  ended (outcome: { kind: string; code?: string; reason?: string }): void
}

export interface WatchedRollout { rolloutId: string; role: Role; delivery: number; policy: string; startedAt: number }

/** Of one run. */
export interface WorkWatch { rollout (rollout: WatchedRollout): RolloutWatch }

/** Several as one. */
export function joinWatches (watches: readonly WorkWatch[]): WorkWatch | undefined {
  if (watches.length < 2) return watches[0]
  return {
    rollout (about) {
      const all = watches.map(watch => watch.rollout(about))
      return {
        asked: asked => { for (const watch of all) watch.asked(asked) },
        used: used => { for (const watch of all) watch.used(used) },
        ended: outcome => { for (const watch of all) watch.ended(outcome) }
      }
    }
  }
}
