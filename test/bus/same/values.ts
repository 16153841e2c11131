// The steps of logs, buckets and objects, and of readers that keep their places. Every value is another, so that an entry is known
// by its value; sequences and revisions are compared by their order, not by their numbers.

import type { Bucket, LogEntry, LogPlace } from '../../../src/bus/types.ts'
import { read, text, type KeptReader } from '../contract.ts'
import type { Connection } from './connections.ts'
import { keys, readers, type StepOf } from './operations.ts'
import { steady } from './queue.ts'
import type { World } from './world.ts'

export class ValueSteps {
  readonly #world: World
  #written = 0
  /** Of each bucket, in the order of the writes. */
  readonly #revisions: Record<'runs' | 'nodes', number[]> = { runs: [], nodes: [] }
  /** Sequences of the log that were seen, with what stands there. */
  readonly #entries = new Map<number, number>()
  readonly #readers = new Map<string, KeptReader>()
  readonly #held: { reader: KeptReader; entry: LogEntry; name: string }[] = []

  constructor (world: World) { this.#world = world }

  /** Whether time ends something. */
  get isTimed (): boolean { return this.#revisions.nodes.length > 0 }

  next (): string { return `${++this.#written}` }

  /** The order of the writes is that of the sequences, and one sequence is one entry. */
  entry ({ key, bytes, sequence }: LogEntry): unknown {
    const value = read(bytes)!
    const number = Number(value)
    for (const [other, known] of this.#entries) if (Math.sign(other - sequence) !== Math.sign(known - number)) throw new Error(`${key}=${value} stands at ${sequence}, and ${known} at ${other}`)
    this.#entries.set(sequence, number)
    return [key, value]
  }

  /** The sequence of one of the last entries that were seen. */
  known (which: number): number { return [...this.#entries.keys()].sort((one, other) => one - other).at(-1 - which) ?? 0 }

  async create ({ key }: StepOf<'create'>, { bus }: Connection): Promise<unknown> { return await bus.log.records.create(key, text(this.next())) }
  async getEntry ({ key }: StepOf<'getEntry'>, { bus }: Connection): Promise<unknown> { return read(await bus.log.records.get(key)) }
  async removeEntry ({ key }: StepOf<'removeEntry'>, { bus }: Connection): Promise<unknown> { return await bus.log.records.remove(key) }

  async put ({ bucket, key }: StepOf<'put'>, { bus }: Connection): Promise<unknown> { return this.#wrote(bucket, await bus.kv[bucket].put(key, text(this.next()))) }
  async remove ({ bucket, key }: StepOf<'remove'>, { bus }: Connection): Promise<unknown> { return await bus.kv[bucket].remove(key) }

  async get ({ bucket, key }: StepOf<'get'>, { bus }: Connection): Promise<unknown> {
    const kept = await bus.kv[bucket].get(key)
    return kept === null ? null : [read(kept.bytes), this.rank(bucket, kept.revision)]
  }

  async update ({ bucket, key, over }: StepOf<'update'>, { bus }: Connection): Promise<unknown> {
    const latest = (await bus.kv[bucket].get(key))?.revision ?? 0
    return this.#wrote(bucket, await bus.kv[bucket].update(key, text(this.next()), over === 'nothing' ? 0 : over === 'latest' ? latest : this.#revisions[bucket][0] ?? 0))
  }

  /** How many writes have come up to this revision. */
  rank (bucket: 'runs' | 'nodes', revision: number): number { return this.#revisions[bucket].filter(known => known <= revision).length }

  wrote (bucket: Bucket, revision: number): void { if (bucket === 'runs' || bucket === 'nodes') this.#wrote(bucket, revision) }

  #wrote (bucket: 'runs' | 'nodes', revision: number): string {
    const revisions = this.#revisions[bucket]
    if (revision <= (revisions.at(-1) ?? 0)) throw new Error(`revision ${revision} follows ${revisions.at(-1)!}`)
    revisions.push(revision)
    return 'written'
  }

  async attach ({ reader }: StepOf<'attach'>): Promise<void> { this.#readers.set(reader, await this.#world.attach('records', reader, readers[reader])) }

  async take ({ reader, most }: StepOf<'take'>, { bus }: Connection): Promise<unknown> {
    const kept = this.#readers.get(reader)
    if (kept === undefined) return 'nobody'
    await steady(this.#world, () => bus.log.records.place(reader))
    const taken = await this.#world.within('news', kept.take(most))
    for (const entry of taken) this.#held.unshift({ reader: kept, entry, name: reader })
    return taken.map(entry => this.entry(entry))
  }

  async acknowledge ({ which }: StepOf<'acknowledge'>): Promise<unknown> {
    const held = this.#held[which]
    if (held === undefined) return 'none'
    await held.reader.acknowledge(held.entry)
    return [held.name, held.entry.key]
  }

  async place ({ reader }: StepOf<'place'>, { bus }: Connection): Promise<unknown> {
    const [place, places] = await steady(this.#world, async () => [await bus.log.records.place(reader), await bus.log.records.places()] as const)
    return [place === null ? null : this.#shown(place), places.map(one => this.#shown(one))]
  }

  /** A place is known by the last entry that it was given, and up to which of those it is acknowledged: servers may count on over what it does not read. */
  #shown ({ reader, prefix, acknowledged, delivered, held, waiting }: LogPlace): unknown {
    const given = this.#held.filter(({ name }) => name === reader).map(({ entry }) => entry.sequence)
    const upTo = (sequence: number): number => Math.max(0, ...given.filter(one => one <= sequence).map(one => this.#entries.get(one)!))
    return { reader, prefix, acknowledged: upTo(acknowledged), delivered: upTo(delivered), held, waiting }
  }

  async putObject ({ key, size }: StepOf<'putObject'>, { bus }: Connection): Promise<unknown> { return await bus.objects.put(key, new Uint8Array(size).fill(++this.#written)) }
  async removeObject ({ key }: StepOf<'removeObject'>, { bus }: Connection): Promise<unknown> { return await bus.objects.remove(key) }
  async getObject ({ key }: StepOf<'getObject'>, { bus }: Connection): Promise<unknown> {
    const bytes = await bus.objects.get(key)
    return bytes === null ? null : [bytes.length, bytes[0], bytes.at(-1)]
  }

  /** Everything that is there, at the end. */
  async all (connection: Connection): Promise<unknown[]> {
    const seen: unknown[] = []
    const by = 0
    for (const key of keys) {
      seen.push(await this.getEntry({ do: 'getEntry', by, key }, connection), await this.getObject({ do: 'getObject', by, key, size: 0 }, connection))
      for (const bucket of ['runs', 'nodes'] as const) seen.push(await this.get({ do: 'get', by, bucket, key }, connection))
    }
    return seen
  }
}
