// Signals: core NATS, for whoever listens now.

import type { Bus } from '../types.ts'
import { busError } from './errors.ts'
import type { Link } from './link.ts'

export function createSignals ({ nc, names, limits, closed }: Link): Pick<Bus, 'signal' | 'signals'> {
  return {
    signal (topic, bytes) {
      if (!nc.isClosed()) nc.publish(names.signal(topic), bytes)
    },
    async * signals (prefix, signal) {
      const waiting: { topic: string; bytes: Uint8Array }[] = []
      let wake = (): void => {}
      let failure: Error | null = null
      const over = AbortSignal.any([signal, closed])
      const subscription = nc.subscribe(names.signalsBelow(prefix), { callback: (error, message) => {
        if (error !== null) {
          failure = error
          wake()
          return
        }
        if (waiting.length >= limits.signalsMax) waiting.shift()
        waiting.push({ topic: names.readSignal(message.subject), bytes: message.data })
        wake()
      } })
      const stop = (): void => wake()
      over.addEventListener('abort', stop)
      try {
        while (!over.aborted) {
          if (waiting.length > 0) yield waiting.shift()!
          else if (failure !== null) throw busError(failure, `listen to ${names.signalsBelow(prefix)}`)
          else await new Promise<void>(resolve => { wake = resolve })
        }
      } finally {
        over.removeEventListener('abort', stop)
        subscription.unsubscribe()
      }
    }
  }
}
