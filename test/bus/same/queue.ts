// The steps of the queue.

import type { Bus, QueueMessage, WorkSubject } from '../../../src/bus/types.ts'
import { never, text } from '../contract.ts'
import { Books, kind, type Piece } from './books.ts'
import { arenas, type StepOf } from './operations.ts'
import type { Connection, Connections } from './connections.ts'
import type { World } from './world.ts'

/** `isMidway`: it came while time passed, so that its lease ends somewhere between two steps. */
interface Taken { message: QueueMessage; piece: Piece; by: Connection; delivery: number; isBack: boolean; at: number; isMidway: boolean }
interface Ask { number: number; arena: string; by: Connection; over: AbortController; answer: Promise<QueueMessage | null>; message: QueueMessage | null | undefined }

const asksMax = 4
const spoiled = 'nobody knows when it is answered'
const longMs = 60_000

export class QueueSteps {
  readonly #world: World
  readonly #connections: Connections
  readonly #books = new Books()
  readonly #taken: Taken[] = []
  readonly #asks = new Set<Ask>()
  /** Where something was purged while it was taken: it may still count as taken. */
  readonly #isPurged = new Set<string>()
  /** Where something was purged that nobody had taken: nats-server 2.15 may go on counting it. */
  readonly #isMiscounted = new Set<string>()
  /** Where something was purged that had been handed back: a server answers one who waits with it, which is nothing until its time is up. */
  readonly #isSpoiled = new Set<string>()
  #asked = 0
  #raced = 0

  constructor (world: World, connections: Connections) {
    this.#world = world
    this.#connections = connections
  }

  async add ({ arena, run, key, size }: StepOf<'add'>, { bus }: Connection): Promise<string> {
    const subject: WorkSubject = { kind, arena, run, id: key }
    const said = await bus.queue.add(subject, new Uint8Array(size))
    if (said === 'added') this.#books.added(subject)
    return said
  }

  async pull ({ arena }: StepOf<'pull'>, by: Connection): Promise<unknown> {
    if (this.#isSpoiled.has(arena)) return spoiled
    const isThere = this.#books.free(arena).length > 0
    if (isThere) await this.#apart(arena)
    const pulled = by.bus.queue.pull(kind, arena, { waitMs: isThere ? longMs : 0, signal: never() })
    const message = await this.#world.within(isThere ? 'work' : 'news', pulled)
    return message === null ? null : this.#take(message, by, false)
  }

  /** Waits for work from now on; it is told of when it comes (`answers`). */
  async ask ({ arena }: StepOf<'ask'>, by: Connection): Promise<string> {
    if (this.#asks.size >= asksMax) return 'enough'
    if (this.#isSpoiled.has(arena)) return spoiled
    if (this.#books.free(arena).length > 0) await this.#apart(arena)
    const over = new AbortController()
    const answer = by.bus.queue.pull(kind, arena, { waitMs: longMs, signal: over.signal })
    const ask: Ask = { number: ++this.#asked, arena, by, over, answer, message: undefined }
    answer.then(message => { ask.message = message }, () => {})
    this.#asks.add(ask)
    await heard(by.bus, arena)
    return `asked ${ask.number}`
  }

  async ack ({ which }: StepOf<'ack'>): Promise<unknown> {
    const taken = this.#pick(which)
    if (taken === null) return 'none'
    await taken.message.ack()
    this.#books.ended(taken.piece)
    return taken.piece.name
  }

  async working ({ which }: StepOf<'working'>): Promise<unknown> { return await this.#say(which, ({ message, piece }) => { message.working(); this.#books.renewed(piece) }, ({ message }) => message.working()) }

  async again ({ which, delay }: StepOf<'again'>): Promise<unknown> {
    const call = ({ message }: Taken): void => message.again(this.#world.againMs[delay])
    return await this.#say(which, taken => {
      call(taken)
      taken.isBack = true
      this.#books.returned(taken.piece, { now: 0, soon: 1, later: 2 }[delay])
    }, call)
  }

  async purge ({ run }: StepOf<'purge'>, { bus }: Connection): Promise<void> {
    for (const arena of arenas) if (this.#books.at(arena).some(piece => piece.run === run && piece.deliveries > 0)) this.#isPurged.add(arena)
    for (const arena of arenas) if (this.#books.at(arena).some(piece => piece.run === run && piece.deliveries === 0)) this.#isMiscounted.add(arena)
    for (const { piece, delivery, isBack } of this.#taken) if (isBack && piece.run === run && this.#books.isThere(piece) && piece.deliveries === delivery) this.#isSpoiled.add(piece.arena)
    for (const ask of this.#asks) {
      if (!this.#isSpoiled.has(ask.arena)) continue
      this.#asks.delete(ask)
      ask.over.abort()
    }
    await bus.queue.purge(run, ['rollout', 'verify', 'run', 'episode', 'grade'])
    this.#books.purged(run)
  }

  async depth ({ arena }: StepOf<'depth'>, { bus }: Connection): Promise<unknown> {
    if (this.#isMiscounted.has(arena)) return 'not counted'
    const { waiting, taken } = await steady(this.#world, () => bus.queue.depth(kind, arena))
    return this.#isPurged.has(arena) ? waiting : [waiting, taken]
  }

  async subjects (_step: StepOf<'subjects'>, { bus }: Connection): Promise<unknown> {
    return (await bus.queue.subjects()).filter(({ arena }) => arena !== 'race').map(({ arena, run, id }) => [arena, run, id].join('.')).sort()
  }

  /** Of several who wait the first gives up in the moment in which work comes: it comes to one of the others, or is there at once. */
  async giveUp ({ takers, adder, isFirst }: StepOf<'giveUp'>, by: Connection): Promise<unknown> {
    const over = new AbortController()
    const rest = new AbortController()
    const subject: WorkSubject = { kind, arena: 'race', run: 'race', id: `${++this.#raced}` }
    const adding = await this.#connections.at(adder)
    const pulls = Array.from({ length: takers }, (_, index) => by.bus.queue.pull(kind, 'race', { waitMs: longMs, signal: index === 0 ? over.signal : rest.signal }))
    for (const pull of pulls) pull.catch(() => {})
    await heard(by.bus, 'race')
    if (isFirst) over.abort()
    const added = adding.bus.queue.add(subject, text(''))
    if (!isFirst) over.abort()
    await added
    const first = await this.#world.within('work', pulls[0]!)
    const others = pulls.slice(1)
    if (first === null) others.push(...others.length === 0 ? [by.bus.queue.pull(kind, 'race', { waitMs: longMs, signal: rest.signal })] : [])
    const message = first ?? await this.#world.within('work', Promise.race(others))
    rest.abort()
    const left = (await this.#world.within('work', Promise.all(others))).filter(other => other !== null && other !== message)
    if (message !== null) await message.ack()
    return [message?.subject.id === subject.id, left.length]
  }

  /** Whether time ends something. */
  get isTimed (): boolean { return this.#asks.size > 0 || arenas.some(arena => this.#books.at(arena).some(({ deliveries }) => deliveries > 0)) }

  passed (): void { this.#books.passed++ }

  /** What came to those who wait, after a step. */
  async answers (isMidway: boolean): Promise<unknown[]> {
    const seen: unknown[] = []
    for (const arena of arenas) {
      const open = [...this.#asks].filter(ask => ask.arena === arena)
      const expected = Math.min(open.length, this.#books.free(arena).length)
      if (expected === 0) continue
      await this.#world.within('work', some(open.map(({ answer }) => answer), expected))
      for (const ask of open) {
        if (ask.message === undefined || ask.message === null) continue
        this.#asks.delete(ask)
        seen.push([`ask ${ask.number}`, this.#take(ask.message, ask.by, isMidway)])
      }
    }
    return seen
  }

  /** Those of a connection that is closed, or all at the end. */
  async end (by: Connection | null): Promise<unknown[]> {
    const ended = [...this.#asks].filter(ask => by === null || ask.by === by)
    for (const ask of ended) {
      this.#asks.delete(ask)
      if (by === null) ask.over.abort()
    }
    return await this.#world.within('news', Promise.all(ended.map(async ({ answer }) => (await answer)?.subject ?? null)))
  }

  #take (message: QueueMessage, by: Connection, isMidway: boolean): unknown {
    const piece = this.#books.taken(message.subject)
    this.#taken.unshift({ message, piece, by, delivery: piece.deliveries, isBack: false, at: this.#books.passed, isMidway })
    return [piece.name, message.bytes.length, message.delivery]
  }

  #pick (which: number): Taken | null { return this.#taken[which] ?? null }

  /** `held`: where it still counts. */
  async #say (which: number, held: (taken: Taken) => void, late: (taken: Taken) => void): Promise<unknown> {
    const taken = this.#pick(which)
    if (taken === null) return 'none'
    const { piece, delivery, isBack, by, at, isMidway } = taken
    if (isMidway && at < this.#books.passed) return 'nobody knows how long it is held'
    await this.#apart(piece.arena)
    const isHeld = !isBack && this.#books.isThere(piece) && piece.deliveries === delivery && piece.freeAt > this.#books.passed && !by.isClosed
    if (isHeld) held(taken)
    else late(taken)
    await this.#world.pause()
    return piece.name
  }

  /** What falls free later was taken later: a server that looks at its leases now and then takes those of a moment in their order. */
  async #apart (arena: string): Promise<void> { if (this.#books.at(arena).some(({ deliveries }) => deliveries > 0)) await this.#world.pause() }
}

/** Who is answered has been heard, once it knows the place. */
const heard = async ({ queue, kv }: Bus, arena: string): Promise<void> => {
  await queue.depth(kind, arena)
  await kv.policies.get('nothing')
}

/** A server counts what was just done a moment later. */
export async function steady<Value> (world: World, look: () => Promise<Value>): Promise<Value> {
  for (let before = await look(); ;) {
    await world.pause()
    const now = await look()
    if (JSON.stringify(now) === JSON.stringify(before)) return now
    before = now
  }
}

/** Resolves when so many have. */
async function some (values: Promise<unknown>[], count: number): Promise<void> {
  let came = 0
  await new Promise<void>((resolve, reject) => { for (const value of values) value.then(() => { if (++came === count) resolve() }, reject) })
}
