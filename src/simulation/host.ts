// One process of the simulated cluster: it hears of the world through its host, and so it can stop at any await. A process that has
// crashed hears nothing any more; one that is paused hears all of it when it goes on.

import type { Clock } from '../ports.ts'
import type { VirtualTime } from './time.ts'

export interface Host {
  readonly name: string
  readonly state: 'up' | 'paused' | 'crashed'
  readonly clock: Clock
  /** The one door to the process: what is called here is what an await in it comes to. */
  hear (call: () => void): void
  pause (): void
  resume (): void
  crash (): void
}

export interface HostOptions {
  name: string
  time: VirtualTime
  /** How far its clock is ahead, and by how much it runs faster. */
  skewMs?: number
  drift?: number
  /** Asked whenever the process is to hear of something; it may crash it or pause it first. */
  onHear?: (host: Host) => void
}

export function createHost ({ name, time, skewMs = 0, drift = 0, onHear = () => {} }: HostOptions): Host {
  let state: Host['state'] = 'up'
  let missed: (() => void)[] = []
  const startedAt = time.now()
  const now = (): number => Math.floor(time.now() + skewMs + drift * (time.now() - startedAt))

  const host: Host = {
    name,
    get state () { return state },
    clock: {
      now,
      sleep: (ms, signal) => new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        const wake = (): void => {
          signal?.removeEventListener('abort', stop)
          host.hear(resolve)
        }
        const stop = (): void => {
          timer.cancel()
          reject(signal!.reason as Error)
        }
        const timer = time.at(time.now() + ms / (1 + drift), wake)
        signal?.addEventListener('abort', stop, { once: true })
      }),
      after (ms, call) {
        let isOver = false
        // A process that was paused may take it back when it goes on, before it hears of it.
        const timer = time.at(time.now() + ms / (1 + drift), () => host.hear(() => { if (!isOver) call() }))
        return () => {
          isOver = true
          timer.cancel()
        }
      }
    },
    hear (call) {
      if (state === 'up') onHear(host)
      if (state === 'up') call()
      else if (state === 'paused') missed.push(call)
    },
    pause () { if (state === 'up') state = 'paused' },
    resume () {
      if (state !== 'paused') return
      state = 'up'
      const calls = missed
      missed = []
      for (const call of calls) host.hear(call)
    },
    crash () {
      state = 'crashed'
      missed = []
    }
  }
  return host
}
