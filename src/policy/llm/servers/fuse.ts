// The fuse of one endpoint. Failures in a row open it; while it is open, nothing is sent. After a while one turn may look
// whether the endpoint is well again.
//
//   closed ──fuseFailures in a row──> open ──its time has passed──> probing ──well──> closed
//                                      └<──────────still not, and for longer──────┘
//
// An endpoint that has just come back is trusted by half: the next failure opens the fuse again.

import type { Random } from '../../../ports.ts'
import type { ServerLimits } from './limits.ts'

export interface Fuse {
  readonly state: 'closed' | 'open' | 'probing'
  /** Whether a turn may be sent, or, when the fuse is open, may look. */
  admits (now: number): boolean
  /** An open fuse whose time has passed: the caller looks, and tells. */
  probe (): void
  succeed (): void
  /** A look that found the endpoint well. */
  mend (): void
  /** A look that was given up before it found anything. */
  giveUp (now: number): void
  fail (now: number): void
}

export function createFuse (limits: ServerLimits, random: Random): Fuse {
  let state: Fuse['state'] = 'closed'
  let failures = 0
  let opened = 0
  let until = 0

  const open = (now: number): void => {
    const ms = Math.min(limits.fuseMsMax, limits.fuseMsMin * 2 ** Math.min(opened, 30))
    state = 'open'
    opened++
    // Endpoints that went down together are not looked at together.
    until = now + ms * (0.5 + random.next() / 2)
  }

  return {
    get state () { return state },
    admits: now => state === 'closed' || (state === 'open' && now >= until),
    probe () { state = 'probing' },
    succeed () {
      state = 'closed'
      failures = 0
      opened = 0
    },
    mend () {
      state = 'closed'
      failures = limits.fuseFailures - 1
    },
    giveUp (now) {
      if (state !== 'probing') return
      state = 'open'
      until = now
    },
    fail (now) {
      failures++
      // Turns that were under way when the fuse opened tell nothing new.
      if (state === 'probing' || (state === 'closed' && failures >= limits.fuseFailures)) open(now)
    }
  }
}
