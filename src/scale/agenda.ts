// Time of the model, in seconds: what is due happens in the order of its time, and of being asked for. It keeps no promises, unlike the
// simulation of the machines, so that millions of turns take seconds.

import { SparError } from '../errors.ts'
import { createHeap } from '../heap.ts'

export interface Agenda {
  now (): number
  in (seconds: number, call: () => void): void
  /** Until `isOver`, or nothing is left. Throws SCALE_TOO_LONG when more than `callsMax` calls were made. */
  run (isOver: () => boolean): void
}

export const callsMax = 200_000_000

export function createAgenda (max = callsMax): Agenda {
  const heap = createHeap<{ at: number; order: number; call: () => void }>((one, other) => one.at < other.at || (one.at === other.at && one.order < other.order))
  let now = 0
  let asked = 0
  return {
    now: () => now,
    in (seconds, call) { heap.push({ at: now + seconds, order: asked++, call }) },
    run (isOver) {
      for (let calls = 0; !isOver(); calls++) {
        const next = heap.shift()
        if (next === null) return
        if (calls >= max) throw new SparError('SCALE_TOO_LONG', `Cannot reckon this deployment: the model has made ${max} calls and is not over. Ask for fewer steps of the trainer, or smaller ones (--set steps=…, trainTokens=…)`)
        now = next.at
        next.call()
      }
    }
  }
}
