// The real clock. A simulated one has the same functions.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from './ports.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}),
  after (ms, call) {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  }
}
