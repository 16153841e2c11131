// Sandboxes opened ahead of time, of either kind. Whoever plays on an arena opens many sandboxes of the same view; while one
// is used, the next is made, and opening it is then a hand-over.
//
// Numbered rules:
//  1. A prepared sandbox is as fresh as a new one: nobody has run a command in it, and it is handed out once.
//  2. Nothing is prepared for a view that was opened once only, nor with a network.
//  3. It is owned, leased and reaped as any other, and goes with `close`.

import { throwFirst } from '../errors.ts'
import type { Clock, SandboxSpec } from '../ports.ts'
import { preparedAfter, preparedDelayMs, preparedViewsMax } from './limits.ts'

export interface Preparable { readonly usable: boolean; destroy (): Promise<void> }

interface View<Item> { spec: SandboxSpec; opened: number; ready: Item[]; failed: boolean }

/** Everything that a sandbox is made of; the label is written when it is handed out. */
const keyOf = ({ arena, view, network, limits }: SandboxSpec): string => JSON.stringify([arena.id, arena.dir, arena.image, arena.imagePath, arena.mounts, arena.path, arena.env, view, network, limits])

export class Prepared<Item extends Preparable> {
  readonly #max: number
  readonly #clock: Clock
  readonly #open: (spec: SandboxSpec) => Promise<Item>
  /** Latest last. */
  readonly #views = new Map<string, View<Item>>()
  readonly #closing = new AbortController()
  #filling: Promise<void> | null = null

  /** `max` of each view; 0 prepares nothing. */
  constructor (max: number, clock: Clock, open: (spec: SandboxSpec) => Promise<Item>) {
    this.#max = max
    this.#clock = clock
    this.#open = open
  }

  /** One that is ready, or null; the next is made in either case. */
  take (spec: SandboxSpec): Item | null {
    if (this.#max === 0 || spec.network !== 'none') return null
    const key = keyOf(spec)
    const view = this.#views.get(key) ?? { spec, opened: 0, ready: [], failed: false }
    view.opened++
    view.failed = false
    this.#views.delete(key)
    this.#views.set(key, view)
    for (const [old, { ready }] of [...this.#views].slice(0, -preparedViewsMax)) {
      this.#views.delete(old)
      for (const item of ready) this.#discard(item)
    }
    this.#filling ??= this.#fill().finally(() => { this.#filling = null })
    for (let item = view.ready.shift(); item !== undefined; item = view.ready.shift()) {
      if (item.usable) return item
      this.#discard(item)
    }
    return null
  }

  async close (): Promise<void> {
    this.#closing.abort()
    await this.#filling
    const ready = [...this.#views.values()].flatMap(({ ready }) => ready)
    this.#views.clear()
    throwFirst(await Promise.allSettled(ready.map(item => item.destroy())))
  }

  /** What cannot be removed now is the reaper's, once the owner is gone. */
  #discard (item: Item): void {
    item.destroy().catch(() => {})
  }

  /** One at a time, so that making never takes more than one core from what runs. */
  async #fill (): Promise<void> {
    for (;;) {
      // Whoever was handed one has the first word.
      await this.#clock.sleep(preparedDelayMs, this.#closing.signal).catch(() => {})
      const view = [...this.#views.values()].reverse().find(({ opened, ready, failed }) => opened >= preparedAfter && ready.length < this.#max && !failed)
      if (view === undefined || this.#closing.signal.aborted) return
      const item = await this.#open(view.spec).catch(() => null)
      if (item === null) view.failed = true
      else if (this.#closing.signal.aborted || this.#views.get(keyOf(view.spec)) !== view) await item.destroy().catch(() => {})
      else view.ready.push(item)
    }
  }
}
