// Connects the client by a transport with a lane. The client knows one kind of transport at a time for the whole process: where
// somebody else has connected by `connect` of the package, a connection that is made again has no lane, and the bridge goes the
// client's own way.

import type { ConnectionOptions, NatsConnection } from 'nats'
import { NatsConnectionImpl, setTransportFactory } from 'nats/lib/nats-base-client/internal_mod.js'
import { nodeResolveHost } from 'nats/lib/src/node_transport.js'
import { LaneTransport, type LaneState } from './transport.ts'

export interface Lane {
  /** Copies what it is given; false: there is no lane, nothing was done. */
  publish (subject: string, bytes: Uint8Array, reply: string): boolean
  /** What is heard on a subject, and right below it, holds only while it is being heard. The answer ends it. */
  lend (subject: string): () => void
}

export async function connectWithLane (options: ConnectionOptions): Promise<{ nc: NatsConnection; lane: Lane }> {
  const state: LaneState = { outgoing: null, lent: new Set() }
  setTransportFactory({ factory: () => new LaneTransport(), dnsResolveFn: nodeResolveHost })
  const nc = await NatsConnectionImpl.connect({ ...options, lane: state } as ConnectionOptions)
  return { nc, lane: {
    publish (subject, bytes, reply) {
      if (state.outgoing === null) return false
      state.outgoing.publish(subject, bytes, reply)
      return true
    },
    lend (subject) {
      state.lent.add(subject)
      return () => { state.lent.delete(subject) }
    }
  } }
}
