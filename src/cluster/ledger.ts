// The ledger of a run, derived from its records: dispatched = settled + cancelled + quarantined, once nothing is open.

import type { Ledger } from '../bus/work.ts'
import type { LogEntry } from '../bus/types.ts'
import { readRecordKey } from './keys.ts'
import { createOutcomes } from './outcomes.ts'
import { readEnding } from './records.ts'

type State = 'open' | 'settled' | 'cancelled' | 'quarantined'

export interface LedgerCount {
  /** Counts an entry of the records; another kind of entry changes nothing. */
  enter (entry: LogEntry): void
  totals (): Ledger & { open: number }
  /** Work that was dispatched and has no ending. */
  open (): string[]
  /** Episodes with an outcome. */
  episodes (): number
}

export function createLedgerCount (): LedgerCount {
  const works = new Map<string, State>()
  const outcomes = createOutcomes(() => null)
  return {
    enter (entry) {
      const { key, bytes } = entry
      const name = readRecordKey(key)
      outcomes.enter(entry)
      if (name?.kind !== 'work') return
      // An ending can be read before its dispatch, which was written beside it.
      if (name.entry === 'dispatched' && !works.has(name.work)) works.set(name.work, 'open')
      if (name.entry === 'ended') works.set(name.work, readEnding(bytes, key).kind)
    },
    totals () {
      const counts = { open: 0, settled: 0, cancelled: 0, quarantined: 0 }
      for (const state of works.values()) counts[state]++
      return { dispatched: works.size, ...counts }
    },
    open: () => [...works].filter(([, state]) => state === 'open').map(([work]) => work),
    episodes: () => outcomes.values.size
  }
}
