// Slots for work that takes its share of the machine: first come, first served. A waiter that is aborted leaves the queue, and its task
// never starts.

import { SparError } from './errors.ts'

export interface Limiter {
  readonly slots: number
  readonly active: number
  readonly waiting: number
  run<T> (task: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export function createLimiter (slots: number): Limiter {
  if (!Number.isInteger(slots) || slots < 1) throw new SparError('LIMITER_SLOTS', `Cannot make a limiter with ${slots} slots: it takes a whole number from 1`)
  const queue: (() => void)[] = []
  let active = 0

  const take = (signal?: AbortSignal): Promise<void> => new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted())
    if (active < slots) {
      active++
      return resolve()
    }
    const enter = (): void => {
      signal?.removeEventListener('abort', leave)
      resolve()
    }
    const leave = (): void => {
      queue.splice(queue.indexOf(enter), 1)
      reject(aborted())
    }
    signal?.addEventListener('abort', leave, { once: true })
    queue.push(enter)
  })

  // A slot goes straight to the next waiter, so that nobody overtakes.
  const release = (): void => {
    const next = queue.shift()
    if (next === undefined) active--
    else next()
  }

  return {
    slots,
    get active () { return active },
    get waiting () { return queue.length },
    async run (task, signal) {
      await take(signal)
      try {
        return await task()
      } finally {
        release()
      }
    }
  }
}

const aborted = (): SparError => new SparError('ABORTED', 'Cannot wait for a slot: the work was cancelled', { retryable: true })
