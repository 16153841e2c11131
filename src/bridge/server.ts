// Serves services over the bus.

import { encodeFrame, kinds, type CallKind, type Open } from './frame.ts'
import { decodeFrame } from './frame-reader.ts'
import { ServerCall } from './server-call.ts'
import type { Handler, HandlersOf, Methods, Service } from './services.ts'
import { BridgeStatus, toStatus, type StatusName } from './status.ts'
import { createSwitchboard, type BridgeOptions } from './switchboard.ts'
import type { WireMessage } from './wire.ts'

export interface BridgeServer {
  /** Handlers under way, also of calls that nobody waits for any more. */
  readonly running: number
  /** Resolves when it can be called. Instances of a service share its calls. */
  serve<Of extends Methods> (service: Service<Of>, handlers: HandlersOf<Of>): Promise<void>
  /** Takes no more calls, and ends those under way after `withinMs`. */
  drain (withinMs: number): Promise<void>
  /** Ends every call with UNAVAILABLE. Idempotent. */
  destroy (): Promise<void>
}

export function createBridgeServer (options: BridgeOptions): BridgeServer {
  const board = createSwitchboard(options, 'server')
  const { wire, limits, clock } = board
  const stops: (() => Promise<void>)[] = []
  let isDestroyed = false
  let running = 0
  let idle: () => void = () => {}

  const refuse = (reply: string, status: BridgeStatus): void => {
    wire.publish(reply, encodeFrame({ kind: kinds.STATUS, sequence: 0, code: status.number, text: status.message, metadata: {}, message: null }))
  }
  const open = async (message: WireMessage, kind: CallKind, handler: Handler, ended: (status: StatusName) => void): Promise<void> => {
    let call: ServerCall
    try {
      const opened = readOpen(message.bytes, kind)
      if (isDestroyed) throw new BridgeStatus('UNAVAILABLE', 'The server stops', { isUnbegun: true })
      if (running >= limits.callsMax) throw new BridgeStatus('RESOURCE_EXHAUSTED', `The server has ${running} calls under way: callsMax is ${limits.callsMax}`)
      call = new ServerCall(board, message.reply, opened, ended)
    } catch (error) {
      const status = toStatus(error)
      ended(status.status)
      return refuse(message.reply, status)
    }
    running++
    await call.run(handler)
    if (--running === 0) idle()
  }
  const stopTaking = async (): Promise<void> => { await Promise.all(stops.splice(0).map(stop => stop())) }
  const destroy = async (): Promise<void> => {
    isDestroyed = true
    board.close(new BridgeStatus('UNAVAILABLE', 'The server stops'))
    await stopTaking()
  }

  return {
    get running () { return running },
    async serve ({ name, instance, version, description, methods }, handlers) {
      const endpoints = Object.entries(methods).map(([method, { kind }]) => ({
        name: method,
        subject: wire.subjectOf(name, method, instance),
        hear (message: WireMessage) { if (message.reply !== '') void open(message, kind, handlers[method] as Handler, board.counts.call(name, method)) }
      }))
      stops.push(await wire.serve({ name, version, description, endpoints }))
    },
    async drain (withinMs) {
      await stopTaking()
      const over = new AbortController()
      const done = new Promise<void>(resolve => { idle = resolve; if (running === 0) resolve() })
      await Promise.race([done, clock.sleep(withinMs, over.signal).catch(() => {})])
      over.abort()
      await destroy()
    },
    destroy
  }
}

function readOpen (bytes: Uint8Array, kind: CallKind): Open {
  const frame = decodeFrame(bytes)
  if (frame.kind !== kinds.OPEN) throw new BridgeStatus('INTERNAL', 'Cannot read a frame: it does not open a call')
  if (frame.call !== kind) throw new BridgeStatus('UNIMPLEMENTED', `The method is ${kind}, the call is ${frame.call}`)
  return frame
}
