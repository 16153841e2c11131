// Virtual time. What is due happens in the order of its time, and of being asked for; before the next moment everything has happened
// that follows from this one. Nothing here waits for real time, so that a seed replays a run to the byte.

import { createHeap } from '../heap.ts'

/** Milliseconds since 1970 at which every simulation begins. */
export const simulationStart = Date.UTC(2000, 0, 1)

export interface Timer { cancel (): void }

export interface VirtualTime {
  /** Milliseconds since 1970. */
  now (): number
  /** Calls at `ms`, at the earliest now. */
  at (ms: number, call: () => void): Timer
  /**
   * Goes on until `isOver` says so, nothing is left to happen (`idle`), or time has come to `untilMs` (`late`). One moment that goes
   * on for ever is a defect, and is thrown.
   */
  run (isOver: () => boolean, untilMs: number): Promise<'over' | 'idle' | 'late'>
}

interface Entry { ms: number; order: number; call: (() => void) | null }

/** Calls at one moment: more are a loop that does not let time pass. */
const callsMax = 1_000_000

export function createVirtualTime (): VirtualTime {
  const heap = createHeap<Entry>((one, other) => one.ms < other.ms || (one.ms === other.ms && one.order < other.order))
  let now = simulationStart
  let asked = 0
  let cancelled = 0

  /** Deadlines that nobody needed are most of what is asked for. */
  function sweep (): void {
    if (cancelled < 1_024 || cancelled * 2 < heap.size) return
    heap.keep(({ call }) => call !== null)
    cancelled = 0
  }

  /** The next that was not cancelled. */
  function peek (): Entry | null {
    for (let next = heap.peek(); next !== null && next.call === null; next = heap.peek()) {
      heap.shift()
      cancelled--
    }
    return heap.peek()
  }

  return {
    now: () => now,
    at (ms, call) {
      const entry: Entry = { ms: Math.max(now, Math.ceil(ms)), order: asked++, call }
      heap.push(entry)
      return { cancel () {
        if (entry.call === null) return
        entry.call = null
        cancelled++
        sweep()
      } }
    },
    async run (isOver, untilMs) {
      let calls = 0
      for (let moment = 0; ; moment++) {
        await settled(moment)
        if (isOver()) return 'over'
        const next = peek()
        if (next === null) return 'idle'
        if (next.ms > untilMs) return 'late'
        if (next.ms > now) calls = 0
        now = next.ms
        for (let due: Entry | null = next; due !== null && due.ms === now; due = peek()) {
          if (++calls > callsMax) throw new Error(`Time stands still at ${now}: ${callsMax} calls at one moment`)
          const call = heap.shift()!.call!
          due.call = null
          call()
        }
      }
    }
  }
}

/** Moments between two turns of node's own loop, which the rest of the process waits for: files, messages, signals. */
const momentsMax = 64

/**
 * Promises that follow from what was called have all settled when node comes to its next ticks, and to its immediates: a turn of the
 * loop costs ten times as much as a tick.
 */
const settled = (moment: number): Promise<void> => new Promise(resolve => {
  if (moment % momentsMax === 0) setImmediate(resolve)
  else process.nextTick(resolve)
})
