// Runs as rows.

import { untilStopped } from '../../run/options.ts'
import type { RunRow, RunVerb } from '../protocol.ts'
import type { RunReader } from '../records/types.ts'

/** `verbs`: what can be done to runs of this source at all. */
export function runRow (reader: RunReader, verbs: readonly RunVerb[]): RunRow {
  const { state, reason, options, arenas, policies, startedAt, wait } = reader.info()
  return {
    run: reader.run, state, reason, targets: arenas.map(({ target }) => target),
    episodes: { settled: reader.settled().size, total: options.episodes >= untilStopped ? null : options.episodes },
    ledger: reader.ledger(), policies, group: options.group, seed: options.seed, startedAt, wait, acts: actsOf(state).filter(verb => verbs.includes(verb))
  }
}

const actsOf = (state: string): RunVerb[] => state === 'running' ? ['pause', 'cancel'] : state === 'paused' ? ['resume', 'cancel'] : []
