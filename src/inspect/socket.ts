// One browser: the topics that it has open, and what it may do. A browser that does not take what it is sent is left out of changes, and
// gets everything anew when it has caught up; one that takes nothing for long is closed. Nobody waits for it.

import type { RawData, WebSocket } from 'ws'
import type { Clock } from '../ports.ts'
import { badAction, failureOf } from './failure.ts'
import type { InspectLimits } from './limits.ts'
import type { ClientMessage, ServerMessage } from './protocol.ts'
import { readAction, type Source } from './source.ts'

/** A topic: what ends it, how many messages it has had, and how many changes were left out since it fell behind. */
interface Open { topic: string; over: AbortController; seq: number; missed: number }

export interface SocketPorts { source: Source; clock: Clock; limits: InspectLimits; mayAct: boolean; onAct (what: string): void }

export function serveSocket (socket: WebSocket, { source, clock, limits, mayAct, onAct }: SocketPorts): void {
  const opens = new Map<number, Open>()
  const closed = new AbortController()
  let isBehind = false
  let isAlive = true

  const send = (message: ServerMessage): void => { if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message)) }
  const close = (id: number): void => {
    opens.get(id)?.over.abort()
    opens.delete(id)
  }
  const open = async (id: number, topic: string, before: Open | null): Promise<void> => {
    const opened: Open = { topic, over: new AbortController(), seq: before?.seq ?? 0, missed: 0 }
    opens.set(id, opened)
    const isOpen = (): boolean => opens.get(id) === opened
    try {
      for await (const update of source.open(topic, opened.over.signal)) {
        if (!isOpen()) return
        if (socket.bufferedAmount > limits.bufferedBytesMax) isBehind = true
        if (isBehind) {
          // Whoever takes nothing costs nothing: the topic is opened again when it has caught up.
          if (++opened.missed >= limits.missedMax) return opened.over.abort()
          continue
        }
        opened.seq++
        send('full' in update ? { type: 'full', id, seq: opened.seq, value: update.full } : { type: 'change', id, seq: opened.seq, change: update.change })
      }
    } catch (error) {
      if (!isOpen() || opened.over.signal.aborted) return
      opens.delete(id)
      send({ type: 'failed', id, error: failureOf(error) })
    }
  }
  /** Everything anew for topics of which something was left out. */
  const catchUp = (): void => {
    isBehind = false
    for (const [id, opened] of [...opens]) {
      if (opened.missed === 0) continue
      opened.over.abort()
      send({ type: 'lag', id, count: opened.missed })
      void open(id, opened.topic, opened)
    }
  }
  const act = async (id: number, action: unknown): Promise<void> => {
    try {
      if (!mayAct) throw Object.assign(badAction('this connection may look, not act. Start with --allow-actions, or give the token for acting'), { code: 'ACT_DENIED' })
      const read = readAction(action)
      onAct(JSON.stringify(read))
      await source.act(read)
      send({ type: 'acted', id, error: null })
    } catch (error) {
      send({ type: 'acted', id, error: failureOf(error) })
    }
  }
  const hear = (data: RawData): void => {
    const message = readMessage(data)
    if (message === null) return socket.close(1008, 'not a message of this protocol')
    if (message.type === 'close') return close(message.id)
    if (message.type === 'act') return void act(message.id, message.action)
    if (opens.has(message.id)) close(message.id)
    if (opens.size >= limits.topicsMax) return send({ type: 'failed', id: message.id, error: { code: 'INSPECT_TOO_MANY', message: `Cannot open ${message.topic}: ${limits.topicsMax} topics are open (topicsMax). Close some` } })
    void open(message.id, message.topic, null)
  }
  const end = (): void => {
    closed.abort()
    for (const id of [...opens.keys()]) close(id)
  }

  socket.on('message', hear)
  socket.on('pong', () => { isAlive = true })
  socket.on('close', end)
  socket.on('error', () => socket.terminate())
  void watchOver()

  /** Looks whether it takes what it is sent, and whether it is there. */
  async function watchOver (): Promise<void> {
    let least = 0
    let stalledSince = clock.now()
    let pingedAt = clock.now()
    while (!closed.signal.aborted) {
      await clock.sleep(limits.everyMs, closed.signal).catch(() => {})
      const now = clock.now()
      const waiting = socket.bufferedAmount
      if (waiting === 0 || waiting < least) stalledSince = now
      least = waiting
      if (isBehind && waiting < limits.bufferedBytesMax / 4) catchUp()
      if (now - stalledSince > limits.stalledMsMax) return socket.terminate()
      if (now - pingedAt < limits.pingMs) continue
      // What waits before a ping is no reason to give up: that is what stalledMsMax is for.
      if (!isAlive && waiting === 0) return socket.terminate()
      isAlive = false
      pingedAt = now
      socket.ping()
    }
  }
}

function readMessage (data: RawData): ClientMessage | null {
  try {
    const message = JSON.parse((data as Buffer).toString('utf8')) as Record<string, unknown>
    const isKnown = message['type'] === 'close' || message['type'] === 'act' || (message['type'] === 'open' && typeof message['topic'] === 'string')
    return isKnown && Number.isSafeInteger(message['id']) ? message as unknown as ClientMessage : null
  } catch {
    return null
  }
}
