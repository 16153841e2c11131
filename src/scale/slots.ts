// The slots of all nodes: work that waits, and the nodes that have room for it.

import type { Random } from '../ports.ts'
import type { Order } from './figures.ts'
import { createFifo } from '../fifo.ts'
import { createLevel, createSpread, type Level, type Spread } from './meters.ts'

/** `start` is told which node has it, and gets the way to leave. */
interface Work { start: (node: number, leave: () => void) => void; since: number }
/** Those that wait for one group of slots are of so many kinds; the first ends an episode sooner than the second. */
export interface SlotPool {
  enter (kind: number, start: Work['start']): void
  readonly busy: Level
  /** Seconds waited, of each kind. */
  readonly waits: readonly Spread[]
  readonly total: number
}

export interface SlotPoolOptions { nodes: number; perNode: number; kinds: number; order: Order; random: Random; now: () => number }

export function createSlotPool ({ nodes, perNode, kinds, order, random, now }: SlotPoolOptions): SlotPool {
  const free: number[] = []
  for (let node = 0; node < nodes; node++) for (let slot = 0; slot < perNode; slot++) free.push(node)
  const queues = Array.from({ length: kinds }, () => createFifo<Work>())
  const waits = queues.map(() => createSpread())
  const busy = createLevel(now)
  let turn = 0

  function begin (kind: number, { start, since }: Work, node: number): void {
    busy.add(1)
    waits[kind]!.add(now() - since)
    start(node, () => {
      busy.add(-1)
      const next = choose()
      if (next === null) free.push(node)
      else begin(next, queues[next]!.shift()!, node)
    })
  }

  /** Of the kinds of which something waits. */
  function choose (): number | null {
    const waiting = queues.flatMap(({ size }, kind) => size > 0 ? [kind] : [])
    if (waiting.length < 2) return waiting[0] ?? null
    if (order === 'solve-first') return waiting[0]!
    if (order === 'turns') return waiting[turn++ % waiting.length]!
    return waiting.reduce((first, kind) => sinceOf(kind) < sinceOf(first) ? kind : first)
  }

  const sinceOf = (kind: number): number => queues[kind]!.peek()!.since

  return {
    busy,
    waits,
    total: nodes * perNode,
    enter (kind, start) {
      const work = { start, since: now() }
      if (free.length === 0) {
        queues[kind]!.push(work)
        return
      }
      // Whichever of the free slots asks first.
      const at = random.int(free.length)
      const node = free[at]!
      free[at] = free.at(-1)!
      free.pop()
      begin(kind, work, node)
    }
  }
}
