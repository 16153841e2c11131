// The steps of those who follow: logs, buckets and signals. Each is caught up with by a mark, written below its prefix, that it has
// to come to: what it was told before the mark is what is compared.

import { read, text } from '../contract.ts'
import type { Bus, KeyEntry, LogEntry } from '../../../src/bus/types.ts'
import type { Connection, Connections } from './connections.ts'
import type { StepOf } from './operations.ts'
import type { ValueSteps } from './values.ts'
import type { World } from './world.ts'

interface Heard { key: string; bytes: Uint8Array | null; show (): unknown }
interface Follower {
  name: string
  by: Connection
  over: AbortController
  heard: (Heard | null)[]
  /** Set once it ended: how. */
  ended: string | null
  stir: () => void
  /** Writes a mark, and gives its key and value. */
  mark (bus: Bus): Promise<readonly [key: string, value: string]>
  /** Whether it is told the latest of each key, and not all of them. */
  isLatest: boolean
  /** Whether it began in the midst of writes: what was gone before it was told is not told. */
  isRacing: boolean
}

const followersMax = 5
const below = (prefix: string): string => prefix === '' ? 'mark' : `${prefix}.mark`

export class FollowerSteps {
  readonly #world: World
  readonly #values: ValueSteps
  readonly #connections: Connections
  readonly #all: Follower[] = []
  #marks = 0
  #begun = 0

  constructor (world: World, values: ValueSteps, connections: Connections) {
    this.#world = world
    this.#values = values
    this.#connections = connections
  }

  async follow ({ prefix, isAfter, which }: StepOf<'follow'>, by: Connection): Promise<unknown> {
    const over = new AbortController()
    const entries = by.bus.log.records.follow(prefix, over.signal, isAfter ? this.#values.known(which) : undefined)
    return await this.#begin({
      by, over, isLatest: false, isRacing: false,
      mark: async bus => {
        const [key, value] = [`${below(prefix)}.${++this.#marks}`, this.#values.next()]
        await bus.log.records.create(key, text(value))
        return [key, value]
      }
    }, entries, (entry: LogEntry) => this.#values.entry(entry))
  }

  async watch ({ bucket, prefix, isRacing }: StepOf<'watch'>, by: Connection): Promise<unknown> {
    const over = new AbortController()
    const entries = by.bus.kv[bucket].watch(prefix, over.signal)
    return await this.#begin({
      by, over, isLatest: true, isRacing,
      mark: async bus => {
        const [key, value] = [below(prefix), this.#values.next()]
        this.#values.wrote(bucket, await bus.kv[bucket].put(key, text(value)))
        return [key, value]
      }
    }, entries, ({ key, bytes, revision }: KeyEntry) => [key, read(bytes), this.#values.rank(bucket, revision)])
  }

  async listen ({ prefix }: StepOf<'listen'>, by: Connection): Promise<unknown> {
    const over = new AbortController()
    const signals = by.bus.signals(prefix, over.signal)
    // Who is answered has been heard.
    await by.bus.kv.policies.get('nothing')
    const mark = async (bus: Bus): Promise<readonly [string, string]> => {
      const [key, value] = [below(prefix), `${++this.#marks}`]
      bus.signal(key, text(value))
      return [key, value]
    }
    return await this.#begin({ by, over, isLatest: false, isRacing: true, mark }, signals, ({ topic, bytes }: { topic: string; bytes: Uint8Array }) => [topic, read(bytes)], ({ topic }) => topic)
  }

  /** One after the other: of two who speak at once nobody knows who is heard first. */
  async signal ({ key }: StepOf<'signal'>, by: Connection): Promise<unknown> {
    by.bus.signal(key, text(`${++this.#marks}`))
    // Who listens from the next step on does not hear it: who is answered has been heard.
    await by.bus.kv.policies.get('nothing')
    return await this.#told(this.#all, by)
  }

  async leave ({ which }: StepOf<'leave'>, by: Connection): Promise<unknown> {
    const follower = this.#all[which]
    if (follower === undefined) return 'none'
    const told = await this.#told([follower], by)
    follower.over.abort()
    return [told, await this.#end(follower)]
  }

  /** Of a connection that was closed: they end by themselves. */
  async left (by: Connection): Promise<unknown> {
    const ended: unknown[] = []
    for (const follower of this.#all.filter(one => one.by === by)) ended.push(await this.#end(follower))
    return ended
  }

  /** What all of them were told since the last time. */
  async told (by: Connection): Promise<unknown> { return await this.#told(this.#all, by) }

  async end (): Promise<void> {
    for (const follower of [...this.#all]) {
      follower.over.abort()
      await this.#end(follower)
    }
  }

  async #begin<Entry extends object> (given: Omit<Follower, 'name' | 'heard' | 'ended' | 'stir'>, entries: AsyncIterable<Entry | null>, show: (entry: Entry) => unknown, keyOf = (entry: Entry) => (entry as unknown as Heard).key): Promise<unknown> {
    if (this.#all.length >= followersMax) return 'enough'
    const follower: Follower = { ...given, name: `follower ${++this.#begun}`, heard: [], ended: null, stir () {} }
    this.#all.push(follower)
    void (async () => {
      try {
        for await (const entry of entries) {
          follower.heard.push(entry === null ? null : { key: keyOf(entry), bytes: (entry as unknown as Heard).bytes, show: () => show(entry) })
          follower.stir()
        }
        follower.ended = 'quietly'
      } catch (error) {
        follower.ended = String(error)
      }
      follower.stir()
    })()
    if (follower.isRacing) return follower.name
    await this.#until(follower, () => follower.heard.at(-1) === null || follower.heard.includes(null))
    return [follower.name, shown(follower.heard.splice(0), false)]
  }

  async #told (followers: readonly Follower[], by: Connection): Promise<unknown> {
    const told: unknown[] = []
    for (const follower of followers) {
      const isThe = (mark: readonly [string, string]) => (one: Heard | null): boolean => one !== null && one.key === mark[0] && read(one.bytes) === mark[1]
      const isMark = isThe(await follower.mark(by.isClosed ? (await this.#connections.at(0)).bus : by.bus))
      await this.#until(follower, () => follower.heard.some(isMark))
      const heard = follower.heard.splice(0, follower.heard.findIndex(isMark))
      told.push([follower.name, shown(heard.filter(one => one !== null && !one.key.includes('mark')), follower.isLatest, follower.isRacing)])
    }
    return told
  }

  async #until (follower: Follower, isThere: () => boolean): Promise<void> {
    await this.#world.within('news', (async () => {
      while (!isThere()) {
        if (follower.ended !== null) throw new Error(`${follower.name} ended: ${follower.ended}`)
        await new Promise<void>(resolve => { follower.stir = resolve })
      }
    })())
  }

  async #end (follower: Follower): Promise<unknown> {
    this.#all.splice(this.#all.indexOf(follower), 1)
    await this.#world.within('news', (async () => { while (follower.ended === null) await new Promise<void>(resolve => { follower.stir = resolve }) })())
    return [follower.name, follower.ended]
  }
}

/** Of each key the last, where values may be skipped; without what was gone, where that may be too. */
function shown (heard: (Heard | null)[], isLatest: boolean, isRacing = false): unknown[] {
  const last = heard.filter((one, index) => !isLatest || one === null || heard.findLastIndex(other => other?.key === one.key) === index)
  return last.filter(one => !isRacing || one?.bytes !== null).map(one => one?.show() ?? null)
}

