// What comes of a run on the bus while it is followed: its ledger, what went wrong, settled episodes, samples. A record that cannot be
// read is skipped, and counted among the faults.

import { followed, type Followed } from '../../bus/now.ts'
import type { Bus, LogEntry } from '../../bus/types.ts'
import { unpack } from '../../cluster/codec.ts'
import { handedBack } from '../../cluster/deliver.ts'
import { readRecordKey } from '../../cluster/keys.ts'
import { createLedgerCount, type LedgerCount } from '../../cluster/ledger.ts'
import { createOutcomes } from '../../cluster/outcomes.ts'
import { readEnding, type Failure } from '../../cluster/records.ts'
import { keepSample, readSample } from '../../cluster/samples.ts'
import { toPlain } from '../../errors.ts'
import type { Sample } from '../../run/results.ts'
import type { SettledEpisode } from '../../run/settle.ts'
import { countEndings, type Endings } from './endings.ts'

export interface FollowedRun {
  readonly ledger: LedgerCount
  readonly endings: Endings
  readonly settled: ReadonlyMap<string, SettledEpisode>
  readonly records: Followed
  /** Followed from the first call on. */
  samples (): { taken: ReadonlyMap<string, Sample>; following: Followed }
  end (): void
}

/** `onChange`: something came. Ends with the signal too. */
export function followRun (bus: Bus, run: string, signal: AbortSignal, onChange: () => void): FollowedRun {
  const over = new AbortController()
  const until = AbortSignal.any([signal, over.signal])
  const ledger = createLedgerCount()
  const endings = countEndings()
  const outcomes = createOutcomes(({ key, bytes }) => unpack<{ outcome: SettledEpisode }>(bytes, key).outcome)
  const samples = new Map<string, Sample>()
  let following: Followed | null = null

  const reading = (read: (entry: LogEntry) => void) => (entry: LogEntry): void => {
    onChange()
    try {
      read(entry)
    } catch (error) {
      endings.failed(entry.key, 'RECORD_UNREADABLE', toPlain(error).message, null)
    }
  }
  const take = (entry: LogEntry): void => {
    ledger.enter(entry)
    outcomes.enter(entry)
    const name = readRecordKey(entry.key)
    if (name?.kind !== 'work') return
    if (name.entry.startsWith('failed.')) {
      const { code, reason, at } = unpack<Failure>(entry.bytes, entry.key)
      if (code !== handedBack) endings.failed(name.work, code, reason, at)
    }
    if (name.entry === 'ended') {
      const ending = readEnding(entry.bytes, entry.key)
      endings.ended(name.work, ending.at)
      // Failures that led to it have entries of their own.
      if (ending.kind === 'quarantined' && ending.failures.length === 0) endings.failed(name.work, ending.code, ending.reason, ending.at)
    }
  }
  const takeSample = (entry: LogEntry): void => {
    keepSample(samples, readSample(entry).sample)
  }

  return {
    ledger, endings, settled: outcomes.values,
    records: followed(bus.log.records.follow(run, until), reading(take)),
    samples: () => ({ taken: samples, following: following ??= followed(bus.log.samples.follow(run, until), reading(takeSample)) }),
    end: () => over.abort()
  }
}
