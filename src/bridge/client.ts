// Calls services over the bus.

import { ClientCall } from './client-call.ts'
import { streamsDown, streamsUp, type CallKind } from './frame.ts'
import type { CallOptions, ClientOf, Messages, Methods, Service } from './services.ts'
import { BridgeStatus, type StatusName } from './status.ts'
import { createSwitchboard, type BridgeOptions } from './switchboard.ts'

export interface BridgeClient {
  /** What calls a service. */
  of<Of extends Methods> (service: Service<Of>): ClientOf<Of>
  /** Cancels every call. Idempotent. */
  close (): void
}

export function createBridgeClient (options: BridgeOptions): BridgeClient {
  const board = createSwitchboard(options, 'client')
  let isClosed = false

  const call = (kind: CallKind, subject: string, given: unknown, options: CallOptions, ended: (status: StatusName) => void): unknown => {
    const opened = new ClientCall(board, { kind, subject, options, ended, ...streamsUp(kind) ? { requests: given as Messages<unknown> } : { request: given } })
    if (isClosed) opened.fail(new BridgeStatus('UNAVAILABLE', 'The client was closed', { isUnbegun: true }))
    else opened.start()
    return streamsDown(kind) ? opened.answers : opened.answer
  }
  return {
    of: ({ name, instance, methods }) => Object.fromEntries(Object.entries(methods).map(([method, { kind }]) => {
      const subject = board.wire.subjectOf(name, method, instance)
      return [method, (given: unknown, options: CallOptions = {}) => call(kind, subject, given, options, board.counts.call(name, method))]
    })) as never,
    close () {
      isClosed = true
      board.close(new BridgeStatus('CANCELLED', 'The client was closed'))
    }
  }
}
