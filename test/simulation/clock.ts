// A clock whose time goes on when nothing else is left to do: the earliest sleeper wakes, and everything that follows from it
// happens before the next one does.

import type { Clock } from '../../src/ports.ts'

export interface InstantClock extends Clock {
  /** Lets time go on until the work is done. Rejects where it waits for nothing that time brings. */
  drive<Result> (work: Promise<Result>): Promise<Result>
}

interface Sleeper { at: number; order: number; wake: () => void }

export function createInstantClock (): InstantClock {
  const sleepers: Sleeper[] = []
  let now = Date.UTC(2000, 0, 1)
  let asked = 0
  const isBefore = (one: Sleeper, other: Sleeper): boolean => one.at < other.at || (one.at === other.at && one.order < other.order)

  const remove = (sleeper: Sleeper): void => {
    const at = sleepers.indexOf(sleeper)
    if (at !== -1) sleepers.splice(at, 1)
  }
  const insert = (sleeper: Sleeper): void => {
    let [low, high] = [0, sleepers.length]
    // The next to wake is the last one.
    while (low < high) {
      const middle = (low + high) >> 1
      if (isBefore(sleepers[middle]!, sleeper)) high = middle
      else low = middle + 1
    }
    sleepers.splice(low, 0, sleeper)
  }

  return {
    now: () => now,
    sleep: async (ms, signal) => await new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const stop = (): void => {
        remove(sleeper)
        reject(signal!.reason as Error)
      }
      const sleeper: Sleeper = {
        at: now + ms,
        order: asked++,
        wake: () => {
          signal?.removeEventListener('abort', stop)
          resolve()
        }
      }
      insert(sleeper)
      signal?.addEventListener('abort', stop, { once: true })
    }),
    after (ms, call) {
      const sleeper: Sleeper = { at: now + ms, order: asked++, wake: call }
      insert(sleeper)
      return () => remove(sleeper)
    },
    async drive (work) {
      let isOver = false
      const over = (): void => { isOver = true }
      work.then(over, over)
      for (let idle = 0; !isOver; ) {
        await new Promise(resolve => setImmediate(resolve))
        if (isOver) break
        const next = sleepers.pop()
        if (next === undefined) {
          if (++idle > 100) throw new Error('Nothing is left that time could bring')
          continue
        }
        idle = 0
        now = next.at
        next.wake()
      }
      return await work
    }
  }
}
