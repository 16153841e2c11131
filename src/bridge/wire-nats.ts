// The wire on NATS. Services are added by NATS's own service API, so that `nats micro` lists and times them.

import { createInbox, Events, type Msg, type ServiceMsg } from 'nats'
import { onAbort } from '../bus/abort.ts'
import { busError, deniedBy } from '../bus/nats/errors.ts'
import type { Link } from '../bus/nats/link.ts'
import type { Served, Wire, WireMessage, WireWatch } from './wire.ts'

export function createNatsWire ({ nc, names, closed, heard, isUp }: Pick<Link, 'nc' | 'names' | 'closed' | 'heard' | 'isUp'>): Wire {
  return {
    get payloadBytesMax () { return nc.info!.max_payload },
    get isUp () { return isUp() },
    closed,
    subjectOf: names.bridge,
    inbox: () => createInbox(),
    publish (subject, bytes, reply) {
      if (isUp()) nc.publish(subject, bytes, reply === undefined ? {} : { reply })
    },
    listenBelow (subject, hear) {
      const subscription = nc.subscribe(`${subject}.*`, { callback: (error, message) => { if (error === null) hear(read(message)) } })
      return () => subscription.unsubscribe()
    },
    async serve ({ name, version, description, endpoints }: Served) {
      try {
        const service = await nc.services.add({ name, version, description, queue: 'q' })
        for (const { name, subject, hear } of endpoints) service.addEndpoint(name, { subject, handler: (error, message) => { if (error === null) hear(read(message)) } })
        // Whoever is told that it is served may call at once, from another connection.
        await nc.flush()
        return async () => { await service.stop() }
      } catch (error) {
        throw busError(error, `serve ${name}`)
      }
    },
    watch ({ lost, denied }: WireWatch) {
      const hear: Parameters<typeof heard.add>[0] = status => {
        if (status.type === Events.Disconnect) lost()
        const refused = deniedBy(status)
        if (refused !== null) denied(refused.subject)
      }
      heard.add(hear)
      const leave = onAbort([closed], lost)
      return () => { heard.delete(hear); leave() }
    }
  }
}

const read = (message: Msg | ServiceMsg): WireMessage => ({
  subject: message.subject, bytes: message.data, reply: message.reply ?? '',
  isUnserved: message.data.length === 0 && message.headers?.code === 503
})
