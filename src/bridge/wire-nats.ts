// The wire on NATS. Services are added by NATS's own service API, so that `nats micro` lists and times them.

import { Events, nuid, type Msg, type ServiceMsg } from 'nats'
import { onAbort } from '../bus/abort.ts'
import { busError, deniedBy } from '../bus/nats/errors.ts'
import type { Link } from '../bus/nats/link.ts'
import type { Served, Wire, WireMessage, WireWatch } from './wire.ts'

export function createNatsWire ({ nc, lane, names, closed, heard, isUp }: Pick<Link, 'nc' | 'lane' | 'names' | 'closed' | 'heard' | 'isUp'>): Wire {
  return {
    get payloadBytesMax () { return nc.info!.max_payload },
    get isUp () { return isUp() },
    closed,
    subjectOf: names.bridge,
    inbox: side => names.inbox(side, nuid.next()),
    publish (subject, bytes, reply = '') {
      if (!isUp() || lane.publish(subject, bytes, reply)) return
      nc.publish(subject, new Uint8Array(bytes), reply === '' ? {} : { reply })
    },
    listenBelow (subject, hear) {
      const subscription = nc.subscribe(`${subject}.*`, { callback: (error, message) => { if (error === null) hear(read(message)) } })
      const giveBack = lane.lend(subject)
      // What is published behind this goes another way, and must not be there before.
      nc.flush().catch(() => {})
      return () => { subscription.unsubscribe(); giveBack() }
    },
    async serve ({ name, version, description, endpoints }: Served) {
      try {
        const service = await nc.services.add({ name, version, description, queue: 'q' })
        for (const { name, subject, hear } of endpoints) service.addEndpoint(name, { subject, handler: (error, message) => { if (error === null) hear(read(message)) } })
        // Whoever is told that it is served may call at once, from another connection.
        await nc.flush()
        const givesBack = endpoints.map(({ subject }) => lane.lend(subject))
        return async () => {
          await service.stop()
          for (const giveBack of givesBack) giveBack()
        }
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
