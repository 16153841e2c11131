// One side of a call by hand: frames that no side of the bridge would write.

import type { Test } from 'tap'
import { kinds, type Frame } from '../../src/bridge/frame.ts'
import { decodeFrame } from '../../src/bridge/frame-reader.ts'
import { pack } from '../../src/bridge/pack.ts'
import type { WireMessage } from '../../src/bridge/wire.ts'
import type { Bus } from '../../src/bus/types.ts'
import { until } from './fixture.ts'

export interface RawSide {
  heard: Frame[]
  /** A frame to the other side, by its items or bytes. */
  say (items: unknown[] | Uint8Array, reply?: string): void
  /** The first frame of a kind, when it has come. */
  first<Kind extends keyof typeof kinds> (kind: Kind): Promise<Extract<Frame, { kind: typeof kinds[Kind] }>>
}

const bytesOf = (items: unknown[] | Uint8Array): Uint8Array => items instanceof Uint8Array ? items : pack(items)

function createSide (bus: Bus, address: () => string): RawSide {
  const heard: Frame[] = []
  return {
    heard,
    say (items, reply) { bus.wire.publish(address(), bytesOf(items), reply) },
    async first (kind) {
      const find = (): Frame | undefined => heard.find(frame => frame.kind === kinds[kind])
      await until(() => find() !== undefined)
      const found = find()
      if (found === undefined) throw new Error(`no ${kind} has come`)
      return found as never
    }
  }
}

/** Opens a call of Echo. */
export async function rawClient (t: Test, bus: Bus, method: string, open: unknown[] | Uint8Array): Promise<RawSide> {
  const inbox = bus.wire.inbox('client')
  let server = ''
  const side = createSide(bus, () => server)
  const hear = ({ bytes, reply }: WireMessage): void => {
    if (server === '') server = reply
    side.heard.push(decodeFrame(bytes))
  }
  t.teardown(bus.wire.listenBelow(inbox, hear))
  bus.wire.publish(bus.wire.subjectOf('Echo', method), bytesOf(open), `${inbox}.1`)
  return side
}

/** Serves one method of Echo, and resolves to each call of it. */
export async function rawServer (t: Test, bus: Bus, method: string): Promise<{ opened: Promise<RawSide>; reply: string }> {
  const inbox = bus.wire.inbox('client')
  const reply = `${inbox}.1`
  let side!: RawSide
  t.teardown(bus.wire.listenBelow(inbox, ({ bytes }) => side.heard.push(decodeFrame(bytes))))
  const opened = new Promise<RawSide>(resolve => {
    void bus.wire.serve({ name: 'Echo', version: '1.0.0', description: '', endpoints: [{ name: method, subject: bus.wire.subjectOf('Echo', method), hear ({ bytes, reply: client }) {
      side = createSide(bus, () => client)
      side.heard.push(decodeFrame(bytes))
      resolve(side)
    } }] }).then(stop => { t.teardown(stop) })
  })
  return { opened, reply }
}
