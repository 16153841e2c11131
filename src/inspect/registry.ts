// Who lives in this process: every actor is made known here, with what came of it. Pure bookkeeping: what a snapshot says is read by
// a `Look`, and only when somebody asks.
//
// R1. While nobody looks, a transition costs a reference, a time and a counter; where there are many actors (`manyActors`) nothing: they
//     are asked for their snapshot when somebody looks, and steps in between are not seen.
// R2. Everything has a limit: live actors, ended ones, steps of each, names that are counted.
// R3. What has ended keeps its steps, and nothing of what it worked with: a transcript is as large as a record.

import type { Clock } from '../ports.ts'
import { inspectLimits, type InspectLimits } from './limits.ts'

/** What is known of an actor from the start. `name` says what it stands for, and `within` the name of its parent; the node's own where that is not known, or nobody. */
export interface About { name: string; within: string; machine: string; id: string; run: string | null; episode: string | null; rollout: string | null; work: string | null; /** More than its snapshots say, for whoever looks. */ detail?: () => unknown }

export type Status = 'active' | 'done' | 'failed' | 'stopped'

/** How snapshots of a kind of actor are read, and how one is heard and spoken to. `subject` is the actor. */
export interface Look {
  state (snapshot: unknown): string
  tags (snapshot: unknown): string[]
  context (snapshot: unknown): unknown
  children (snapshot: unknown): { id: string; status: string }[]
  acts (snapshot: unknown): string[]
  /** Its snapshot now, and every one from now on until the answer is called. */
  now (subject: unknown): unknown
  follow (subject: unknown, take: (snapshot: unknown) => void): () => void
  /** Hears its events until the answer is called. */
  hear (subject: unknown, take: Hear): () => void
  send (subject: unknown, event: string): void
}

export type Hear = (event: { type: string }, from: string | null) => void

export interface KeptStep { n: number; at: number; snapshot: unknown; event: string | null }
export interface KeptEvent { n: number; at: number; event: { type: string }; from: string | null }

interface Counts { starts: number; failures: number; reason: string }

export class Entry {
  /** From 1, in the order in which actors became known. */
  readonly number: number
  readonly key: string
  readonly look: Look
  readonly startedAt: number
  readonly counts: Counts
  /** Key of the parent, as it was when this was made known. */
  readonly parent: string | null
  /** Grows with everything that can be seen. */
  version = 1
  transitions = 0
  snapshot: unknown = null
  status: Status = 'active'
  endedAt: number | null = null
  /** Rings of as many steps as are kept: by number of the transition. */
  #snapshots: unknown[]
  #ats: number[]
  /** Steps that were forgotten before the rings were made larger. */
  #before = 0
  /** What led to a step, of those that were heard. */
  #causes = new Map<number, string>()
  #events: KeptEvent[] = []
  #eventsMade = 0
  /** Nobody says what it does: it is asked. */
  readonly isAsked: boolean
  #watchers = 0
  #leave: (() => void) | null = null
  /** The event that is being worked on, while somebody hears. */
  #event: string | null = null
  #about: About
  #subject: unknown
  #clock: Pick<Clock, 'now'>
  #limits: InspectLimits

  constructor (number: number, key: string, parent: string | null, about: About, look: Look, subject: unknown, counts: Counts, isAsked: boolean, clock: Pick<Clock, 'now'>, limits: InspectLimits) {
    this.number = number
    this.key = key
    this.parent = parent
    this.#about = about
    this.look = look
    this.#subject = subject
    this.counts = counts
    this.startedAt = clock.now()
    this.#clock = clock
    this.#limits = limits
    this.isAsked = isAsked
    const length = isAsked ? 1 : limits.stepsMax
    this.#snapshots = new Array<unknown>(length).fill(null)
    this.#ats = new Array<number>(length).fill(0)
  }

  /** Without `detail` where it has ended (R3). */
  get about (): About { return this.#about }
  /** null where it has ended (R3). */
  get subject (): unknown { return this.#subject }

  /** R1. */
  seen (snapshot: unknown): void {
    if (snapshot === this.snapshot) return
    const n = ++this.transitions
    this.version++
    this.snapshot = snapshot
    const place = n % this.#ats.length
    this.#snapshots[place] = snapshot
    this.#ats[place] = this.#clock.now()
    if (this.#event !== null) this.#keepCause(n)
  }

  /** Looks what it is in now, where nobody says so. */
  ask (): void {
    if (this.isAsked && this.status === 'active') this.seen(this.look.now(this.subject))
  }

  /** Steps from `after` on, oldest first, as far as they are kept. */
  steps (after = 0): KeptStep[] {
    const from = Math.max(after, this.#forgotten)
    return Array.from({ length: this.transitions - from }, (_, index) => this.#stepAt(from + 1 + index))
  }

  /** Since when steps hold, as far back as they are kept. */
  since (holds: (snapshot: unknown) => boolean): number {
    let since = this.startedAt
    for (let n = this.transitions; n > this.#forgotten; n--) {
      const { snapshot, at } = this.#stepAt(n)
      if (!holds(snapshot)) return since
      since = at
    }
    return since
  }

  /** Number of the last step that is not kept. */
  get #forgotten (): number { return Math.max(this.#before, this.transitions - this.#ats.length) }

  #stepAt (n: number): KeptStep {
    const place = n % this.#ats.length
    return { n, at: this.#ats[place]!, snapshot: this.#snapshots[place], event: this.#causes.get(n) ?? null }
  }

  #keepCause (n: number): void {
    this.#causes.set(n, this.#event!)
    this.#event = null
    this.#causes.delete(n - this.#ats.length)
  }

  /** Whoever looks sees as much of the past from then on as there may be. */
  #keepMore (): void {
    const steps = this.steps()
    const length = Math.max(this.#ats.length, this.#limits.stepsMax)
    this.#before = this.#forgotten
    this.#snapshots = new Array<unknown>(length).fill(null)
    this.#ats = new Array<number>(length).fill(0)
    for (const { n, at, snapshot } of steps) {
      this.#snapshots[n % length] = snapshot
      this.#ats[n % length] = at
    }
  }

  /** Events that were heard, oldest first, and how many there were. */
  get events (): readonly KeptEvent[] { return this.#events }
  get eventsMade (): number { return this.#eventsMade }

  /** Keeps a log of events until the answer is called, and every watcher has called theirs. */
  watch (): () => void {
    if (++this.#watchers === 1 && this.#ats.length < this.#limits.stepsMax) this.#keepMore()
    if (this.#watchers === 1 && this.status === 'active') this.#leave = this.#listen()
    let left = false
    return () => {
      if (left) return
      left = true
      if (--this.#watchers === 0) this.#stopHearing()
    }
  }

  ended (status: Exclude<Status, 'active'>): void {
    this.status = status
    this.endedAt = this.#clock.now()
    this.version++
    this.#stopHearing()
    const { detail: _, ...about } = this.#about
    this.#about = about
    this.#subject = null
  }

  #listen (): () => void {
    const unfollow = this.isAsked ? this.look.follow(this.subject, snapshot => this.seen(snapshot)) : () => {}
    const deafen = this.look.hear(this.subject, (event, from) => this.#heard(event, from))
    return () => { unfollow(); deafen() }
  }

  #heard (event: { type: string }, from: string | null): void {
    this.#event = event.type
    this.#events.push({ n: ++this.#eventsMade, at: this.#clock.now(), event, from })
    if (this.#events.length > this.#limits.eventsMax) this.#events.shift()
    this.version++
  }

  #stopHearing (): void {
    this.#leave?.()
    this.#leave = null
    this.#event = null
  }
}

/** What whoever makes an actor known says of it from then on. */
export interface Known {
  readonly key: string | null
  /** It is asked: nobody need say what it does, only that it has ended. */
  readonly isAsked: boolean
  seen (snapshot: unknown): void
  ended (status: Exclude<Status, 'active'>, reason?: string): void
}

const unknown: Known = { key: null, isAsked: true, seen () {}, ended () {} }

export interface Registry {
  /** Name of the node; `local` for a process without one. */
  readonly node: string
  readonly live: number
  /** Actors that were not made known, since there were `liveMax` of them. */
  readonly leftOut: number
  enter (about: About, look: Look, subject: unknown): Known
  get (key: string): Entry | null
  /** The live one of this name. */
  named (name: string): Entry | null
  /** Live and ended. */
  readonly size: number
  /** Those behind a number, at most so many, in order. */
  after (number: number, most: number): Iterable<Entry>
  /** Forgets those that ended long ago. */
  sweep (): void
}

export function createRegistry ({ node, clock, limits: given }: { node: string; clock: Pick<Clock, 'now'>; limits?: Partial<InspectLimits> }): Registry {
  const limits = { ...inspectLimits, ...given }
  const entries = new Map<string, Entry>()
  const names = new Map<string, Entry>()
  const counts = new Map<string, Counts>()
  const ended: Entry[] = []
  let made = 0
  let live = 0
  let leftOut = 0

  const countsOf = (name: string): Counts => {
    const known = counts.get(name) ?? { starts: 0, failures: 0, reason: '' }
    // Whoever came last is forgotten last.
    counts.delete(name)
    counts.set(name, known)
    if (counts.size > limits.namesMax) counts.delete(counts.keys().next().value!)
    return known
  }
  const forget = (): void => {
    const now = clock.now()
    let count = 0
    while (count < ended.length && (ended.length - count > limits.endedMax || now - ended[count]!.endedAt! > limits.endedMs)) count++
    for (const entry of ended.splice(0, count)) entries.delete(entry.key)
  }
  const asked = (entry: Entry | undefined): Entry | null => {
    entry?.ask()
    return entry ?? null
  }
  const end = (entry: Entry, status: Exclude<Status, 'active'>, reason: string): void => {
    if (entry.status !== 'active') return
    entry.ask()
    entry.ended(status)
    if (names.get(entry.about.name) === entry) names.delete(entry.about.name)
    if (status === 'failed') {
      entry.counts.failures++
      entry.counts.reason = reason.slice(0, 500)
    }
    live--
    ended.push(entry)
    forget()
  }

  return {
    node,
    get live () { return live },
    get leftOut () { return leftOut },
    enter (about, look, subject) {
      if (live >= limits.liveMax) {
        leftOut++
        return unknown
      }
      live++
      const known = countsOf(about.name)
      known.starts++
      const entry = new Entry(++made, `${node}/${made}`, (names.get(about.within) ?? names.get(`node/${node}`))?.key ?? null, about, look, subject, known, live > limits.manyActors, clock, limits)
      entries.set(entry.key, entry)
      names.set(about.name, entry)
      return { key: entry.key, isAsked: entry.isAsked, seen: snapshot => entry.seen(snapshot), ended: (status, reason = '') => end(entry, status, reason) }
    },
    get: key => asked(entries.get(key)),
    named: name => asked(names.get(name)),
    get size () { return entries.size },
    * after (number, most) {
      if (number >= made) return
      let left = most
      for (const entry of entries.values()) {
        if (entry.number <= number) continue
        if (left-- <= 0) return
        entry.ask()
        yield entry
      }
    },
    sweep: forget
  }
}
