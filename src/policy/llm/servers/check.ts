// A look at every endpoint before anything is played: is it there, does it take the key, does it serve the model? What would be
// wrong in every turn is told at once and for every endpoint; one that is down while another is well is only told of.

import { SparError } from '../../../errors.ts'
import type { ServerCheck } from '../types.ts'
import type { Description } from './protocol.ts'

export interface Looked { address: string; looked: PromiseSettledResult<Description> }

/** Model names that a message shows of one endpoint, at most. */
const namesShown = 20

/** Throws OPTION_MODEL, what an endpoint refuses with, or, where none is well, what is wrong with the first. */
export function judgeEndpoints (model: string, all: readonly Looked[]): ServerCheck {
  const failed = all.flatMap(({ address, looked }) => looked.status === 'rejected' ? [{ address, error: looked.reason as unknown }] : [])
  const described = all.flatMap(({ address, looked }) => looked.status === 'fulfilled' ? [{ address, ...looked.value }] : [])
  const strangers = described.flatMap(({ address, others }) => others === null ? [] : [`${address} serves ${shown(others)}`])
  if (strangers.length > 0) {
    throw new SparError('OPTION_MODEL', `Cannot play with the model "${model}": ${strangers.join('; ')}. Say --model with a name that every server has`, { data: { model, endpoints: strangers.length } })
  }
  const refusals = failed.filter(({ error }) => error instanceof SparError && !error.retryable)
  if (refusals.length > 0) throw together(refusals)
  if (described.length === 0) throw together(failed)
  return {
    contextTokensMax: least(described.flatMap(({ contextTokensMax }) => contextTokensMax ?? [])),
    down: failed.map(({ address, error }) => ({ address, reason: messageOf(error) }))
  }
}

function shown (names: readonly string[]): string {
  if (names.length === 0) return 'models without names'
  const rest = names.length - namesShown
  return names.slice(0, namesShown).map(name => JSON.stringify(name.slice(0, 200))).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** The first error, with what the others say. */
function together ([first, ...others]: { address: string; error: unknown }[]): unknown {
  const { error } = first!
  if (others.length === 0 || !(error instanceof SparError)) return error
  return new SparError(error.code, [error, ...others.map(other => other.error)].map(messageOf).join('; '), { retryable: error.retryable, data: error.data })
}

/** A conversation may move from one endpoint to another, so the smallest context counts. */
const least = (counts: readonly number[]): number | null => counts.length === 0 ? null : Math.min(...counts)
