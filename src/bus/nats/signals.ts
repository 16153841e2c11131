// Signals: core NATS, for whoever listens now.

import { Channel } from '../channel.ts'
import type { Bus } from '../types.ts'
import { busError } from './errors.ts'
import { checkSize, type Link } from './link.ts'

export function createSignals (link: Link): Pick<Bus, 'signal' | 'signals'> {
  const { nc, names, limits, closed, isUp } = link
  return {
    signal (topic, bytes) {
      const subject = names.signal(topic)
      checkSize(link, bytes, subject)
      if (isUp()) nc.publish(subject, bytes)
    },
    signals (prefix, signal) {
      const filter = names.signalsBelow(prefix)
      let leave = (): void => {}
      const channel = new Channel<{ topic: string; bytes: Uint8Array }>({ signals: [signal, closed], max: limits.signalsMax, onEnd: () => leave() })
      if (channel.isOver) return channel.read()
      const subscription = nc.subscribe(filter, { callback: (error, message) => {
        if (error !== null) channel.fail(busError(error, `listen to ${filter}`))
        else channel.push({ topic: names.readSignal(message.subject), bytes: message.data })
      } })
      leave = () => subscription.unsubscribe()
      return channel.read()
    }
  }
}
