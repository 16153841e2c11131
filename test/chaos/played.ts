// A run as it was played on a bus: submitted, watched and fetched by the command line, and read from the bus itself.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectNats } from '../../src/bus/nats.ts'
import { upToNow } from '../../src/bus/now.ts'
import type { Bus } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { readRecordKey } from '../../src/cluster/keys.ts'
import { readEnding, type Ending } from '../../src/cluster/records.ts'
import { spar, type Ran } from '../helpers/spar.ts'
import type { NatsServer } from './servers.ts'

export interface Submission { name: string; repository: string; seed: number; episodes: number | 'until stopped'; group: number; inFlight: number; maxOrder: number }

export interface Desk {
  submit (submission: Submission): Promise<void>
  list (): Promise<Ran>
  /** What `spar run <word> <run> --json` says. */
  ask (word: string, run: string, ...more: string[]): Promise<Ran>
  bus (): Promise<Bus>
}

/** Where runs are handed in and looked at: no proxy stands between it and the servers. */
export function openDesk ({ folder, servers, nats }: { folder: string; servers: readonly NatsServer[]; nats: readonly string[] }): Desk {
  const home = join(folder, 'desk')
  mkdirSync(home, { recursive: true })
  const urls = servers.map(({ url }) => url)
  const say = (...words: string[]): Promise<Ran> => spar(['run', ...words, '--nats', urls.join(','), ...nats, '--json'], { home, cwd: folder })
  const ask: Desk['ask'] = (word, run, ...more) => say(word, run, ...more)
  return {
    ask,
    list: () => say('list'),
    bus: () => connectNats({ servers: urls, name: 'chaos', clock: systemClock, ensure: false }),
    async submit (submission) {
      const file = join(folder, `${submission.name}.json`)
      writeFileSync(file, JSON.stringify(documentOf(submission)))
      const { code, err } = await ask('submit', file)
      if (code !== 0) throw new Error(`the run ${submission.name} was not taken: ${err}`)
    }
  }
}

const documentOf = ({ name, repository, seed, episodes, group, inFlight, maxOrder }: Submission): object => ({
  name, episodes, group, seed, 'in-flight': inFlight, 'max-order': maxOrder, 'min-passing': 3, 'min-scored': 2, strategy: { removal: 1, history: 1 }, arenas: [{ target: repository }]
})

export interface RunRecords {
  /** Work that was put on the queue. */
  dispatched: Set<string>
  endings: Map<string, Ending>
  /** Failed deliveries, by their codes. */
  failures: Map<string, number>
  /** Episodes with an outcome. */
  settled: Set<string>
  /** How often a rollout is among the samples. */
  samples: Map<string, number>
  /** How often each key of the records was read: each is written once. */
  entries: Map<string, number>
}

export async function readRecords (bus: Bus, run: string): Promise<RunRecords> {
  const records: RunRecords = { dispatched: new Set(), endings: new Map(), failures: new Map(), settled: new Set(), samples: new Map(), entries: new Map() }
  for await (const { key, bytes } of upToNow(signal => bus.log.records.follow(run, signal))) {
    count(records.entries, key)
    const name = readRecordKey(key)
    if (name?.kind === 'settled') records.settled.add(name.episode)
    if (name?.kind !== 'work') continue
    if (name.entry === 'dispatched') records.dispatched.add(name.work)
    else if (name.entry === 'ended') records.endings.set(name.work, readEnding(bytes, key))
    else if (name.entry.startsWith('failed')) count(records.failures, codeOf(bytes))
  }
  for await (const { key } of upToNow(signal => bus.log.samples.follow(run, signal))) count(records.samples, key.slice(run.length + 1))
  return records
}

const count = (counts: Map<string, number>, name: string): void => { counts.set(name, (counts.get(name) ?? 0) + 1) }
const codeOf = (bytes: Uint8Array): string => /[A-Z]+_[A-Z_]+|DEFECT/.exec(Buffer.from(bytes).toString('latin1'))?.[0] ?? '?'
