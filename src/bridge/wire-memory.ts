// The wire in one process. What is written is heard later, in order, as it would be over a socket; bytes are copied.

import { onAbort } from '../bus/abort.ts'
import { createNames } from '../bus/subjects.ts'
import type { Endpoint, Wire, WireMessage } from './wire.ts'

type Hear = (message: WireMessage) => void

/** Connections to one wire. */
export interface MemoryWires { connect (closed: AbortSignal): Wire }

export function createMemoryWires (payloadBytesMax = 2 ** 20): MemoryWires {
  const names = createNames('spar')
  const inboxes = new Map<string, Hear>()
  /** By subject; who is first hears the next call, and goes to the end. */
  const groups = new Map<string, Hear[]>()
  let waiting: (() => void)[] = []
  let made = 0

  const later = (call: () => void): void => {
    if (waiting.push(call) > 1) return
    setImmediate(() => {
      const calls = waiting
      waiting = []
      for (const call of calls) call()
    })
  }
  const find = (subject: string): Hear | undefined => {
    const group = groups.get(subject)
    const first = group?.shift()
    if (first === undefined) return inboxes.get(subject.slice(0, subject.lastIndexOf('.')))
    group!.push(first)
    return first
  }
  const deliver = (subject: string, bytes: Uint8Array, reply: string): void => {
    const hear = find(subject)
    if (hear !== undefined) hear({ subject, bytes, reply, isUnserved: false })
    else if (reply !== '') find(reply)?.({ subject: reply, bytes: new Uint8Array(), reply: '', isUnserved: true })
  }
  const join = ({ subject, hear }: Endpoint): void => { groups.set(subject, [...groups.get(subject) ?? [], hear]) }
  const leave = ({ subject, hear }: Endpoint): void => {
    const left = groups.get(subject)!.filter(other => other !== hear)
    if (left.length === 0) groups.delete(subject)
    else groups.set(subject, left)
  }

  return { connect: closed => ({
    payloadBytesMax,
    get isUp () { return !closed.aborted },
    closed,
    subjectOf: names.bridge,
    inbox: side => names.inbox(side, `m${++made}`),
    publish (subject, bytes, reply = '') {
      if (closed.aborted) return
      const copy = new Uint8Array(bytes)
      later(() => deliver(subject, copy, reply))
    },
    listenBelow (subject, hear) {
      inboxes.set(subject, message => { if (!closed.aborted) hear(message) })
      return () => { inboxes.delete(subject) }
    },
    async serve ({ endpoints }) {
      for (const endpoint of endpoints) join(endpoint)
      const stop = onAbort([closed], () => { for (const endpoint of endpoints) leave(endpoint) })
      return async () => {
        stop()
        if (!closed.aborted) for (const endpoint of endpoints) leave(endpoint)
      }
    },
    watch: ({ lost }) => onAbort([closed], lost)
  }) }
}
