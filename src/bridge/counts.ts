// What of the bridge is counted: frames and bytes on the wire, messages that waited for credit, and how calls end.

import type { Count, Metrics } from '../metrics/types.ts'
import type { Clock } from '../ports.ts'
import type { StatusName } from './status.ts'
import type { Wire, WireMessage } from './wire.ts'

export type SideName = 'client' | 'server'

export interface BridgeCounts {
  wire (wire: Wire): Wire
  waits: Count
  /** A call begins; the answer is told how it ended. */
  call (service: string, method: string): (status: StatusName) => void
}

export const uncounted: BridgeCounts = { wire: wire => wire, waits: { value: 0 }, call: () => () => {} }

export function countBridge (metrics: Metrics, side: SideName, clock: Clock): BridgeCounts {
  return {
    wire: wire => countWire(wire, metrics, side),
    waits: metrics.counter('spar_bridge_credit_waits_total', { side }),
    call (service, method) {
      const startedAt = clock.now()
      return status => {
        metrics.add('spar_bridge_calls_total', { side, service, method, status })
        metrics.observe('spar_bridge_call_seconds', { side, service, method }, (clock.now() - startedAt) / 1000)
      }
    }
  }
}

function countWire (wire: Wire, metrics: Metrics, side: SideName): Wire {
  const seriesOf = (direction: 'sent' | 'received') => ({ frames: metrics.counter('spar_bridge_frames_total', { side, direction }), bytes: metrics.counter('spar_bridge_bytes_total', { side, direction }) })
  const [sent, received] = [seriesOf('sent'), seriesOf('received')]
  const count = ({ frames, bytes }: typeof sent, length: number): void => {
    frames.value++
    bytes.value += length
  }
  const heard = (hear: (message: WireMessage) => void) => (message: WireMessage): void => {
    // That nobody listens is said by the bus, and is no frame.
    if (!message.isUnserved) count(received, message.bytes.length)
    hear(message)
  }
  return {
    get payloadBytesMax () { return wire.payloadBytesMax },
    get isUp () { return wire.isUp },
    closed: wire.closed,
    subjectOf: (...given) => wire.subjectOf(...given),
    inbox: (...given) => wire.inbox(...given),
    publish (subject, bytes, reply) {
      count(sent, bytes.length)
      wire.publish(subject, bytes, reply)
    },
    listenBelow: (subject, hear) => wire.listenBelow(subject, heard(hear)),
    serve: served => wire.serve({ ...served, endpoints: served.endpoints.map(endpoint => ({ ...endpoint, hear: heard(endpoint.hear) })) }),
    watch: watch => wire.watch(watch)
  }
}
