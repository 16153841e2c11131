// The calls of one side: one inbox for all of them, one watch over their deadlines.

import type { Bus } from '../bus/types.ts'
import type { Clock } from '../ports.ts'
import type { Metrics } from '../metrics/types.ts'
import type { Call, Side } from './call.ts'
import { countBridge, uncounted, type SideName } from './counts.ts'
import { bridgeLimits, type BridgeLimits } from './limits.ts'
import { watchWhile } from '../watch-while.ts'
import { Parcels } from './parcels.ts'
import { BridgeStatus } from './status.ts'

export interface BridgeOptions { bus: Pick<Bus, 'wire' | 'objects'>; clock: Clock; limits?: Partial<BridgeLimits>; metrics?: Metrics | undefined }

export interface Switchboard extends Side {
  /** Ends every call with a status, and hears no more. Idempotent. */
  close (status: BridgeStatus): void
}

export function createSwitchboard ({ bus: { wire: bare, objects }, clock, limits: given, metrics }: BridgeOptions, side: SideName): Switchboard {
  const limits = { ...bridgeLimits, ...given }
  const counts = metrics === undefined ? uncounted : countBridge(metrics, side, clock)
  const wire = counts.wire(bare)
  const inbox = wire.inbox(side)
  const parcels = new Parcels({ objects, clock, limits, writer: inbox.slice(inbox.lastIndexOf('.') + 1) })
  const calls = new Map<string, Call>()
  const closing = new AbortController()
  let made = 0

  const endAll = (status: BridgeStatus): void => { for (const call of [...calls.values()]) call.fail(status) }
  const watch = watchWhile({ clock, stepMs: limits.stepMs, closed: closing.signal }, {
    isEmpty: () => calls.size === 0 && parcels.isEmpty,
    look (now) {
      if (now === Infinity) return
      parcels.expire(now)
      for (const call of [...calls.values()]) call.tick(now)
    }
  })
  const stopListening = wire.listenBelow(inbox, message => { calls.get(message.subject)?.hear(message) })
  const stopWatching = wire.watch({
    lost: () => endAll(new BridgeStatus('UNAVAILABLE', 'The connection to the bus was lost')),
    denied: subject => { for (const call of [...calls.values()]) call.denied(subject) }
  })

  return {
    wire, clock, limits, parcels, counts,
    keep (call) {
      const reply = `${inbox}.${(++made).toString(36)}`
      calls.set(reply, call)
      watch()
      return reply
    },
    forget (call) { calls.delete(call.reply) },
    close (status) {
      if (closing.signal.aborted) return
      endAll(status)
      calls.clear()
      parcels.forget()
      stopListening()
      stopWatching()
      closing.abort()
    }
  }
}
