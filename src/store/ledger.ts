// The ledger of a run: every piece of work that was dispatched, and how it ended. Kept as lines, counted by id, so that
// nothing counts twice however often it was delivered or resumed.
// L1. dispatched = settled + cancelled + quarantined, once a run has ended.

import type { Ledger } from '../bus/work.ts'
import { openJsonLog } from './files.ts'

export type LedgerEntry = 'dispatched' | 'settled' | 'cancelled' | 'quarantined'
interface LedgerLine { id: string; entry: LedgerEntry; at: number; code?: string; reason?: string }

export interface LedgerBook {
  /** Idempotent: a second entry of the same kind, or a second ending, is left out; but what was in quarantine may be put back, and end otherwise. */
  enter (id: string, entry: LedgerEntry, at: number, why?: { code: string; reason: string }): void
  totals (): Ledger
  /** When the first work was dispatched, milliseconds since 1970; null before it. */
  startedAt (): number | null
  /** Work that was dispatched and has no ending. */
  open (): string[]
}

export function openLedger (path: string, mend = true): LedgerBook {
  const log = openJsonLog<LedgerLine>(path, mend)
  const endings = new Map<string, LedgerEntry>()
  let startedAt = log.lines[0]?.at ?? null
  const keep = ({ id, entry }: LedgerLine): void => { endings.set(id, entry) }
  log.lines.forEach(keep)
  return {
    enter (id, entry, at, why) {
      const known = endings.get(id)
      if (known !== undefined && (entry === 'dispatched' || entry === known || (known !== 'dispatched' && known !== 'quarantined'))) return
      const line = { id, entry, at, ...why }
      log.append(line)
      startedAt ??= at
      keep(line)
    },
    totals () {
      const count = (entry: LedgerEntry): number => [...endings.values()].filter(ending => ending === entry).length
      return { dispatched: endings.size, settled: count('settled'), cancelled: count('cancelled'), quarantined: count('quarantined') }
    },
    startedAt: () => startedAt,
    open: () => [...endings].filter(([, ending]) => ending === 'dispatched').map(([id]) => id)
  }
}
