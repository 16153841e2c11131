// What went wrong, as a browser is told, and on the way from a node.

import { BridgeStatus } from '../bridge/status.ts'
import { SparError, toPlain } from '../errors.ts'
import type { Failure } from './protocol.ts'

export const notFound = (what: string): SparError => new SparError('INSPECT_NOT_FOUND', `Cannot show ${what}: there is none, or nobody knows it any more`)
export const badTopic = (topic: string): SparError => new SparError('INSPECT_BAD_TOPIC', `Cannot show "${topic.slice(0, 200)}": it is no topic. See docs/inspect.md`)
export const badAction = (why: string): SparError => new SparError('ACT_REFUSED', `Cannot do that: ${why}`)

/** The code travels in the trailers of a call. */
export function toBridge (error: unknown): BridgeStatus {
  const { code, message } = toPlain(error)
  return new BridgeStatus(code === 'INSPECT_NOT_FOUND' ? 'NOT_FOUND' : 'FAILED_PRECONDITION', message, { metadata: { code } })
}

export function failureOf (error: unknown): Failure {
  const { code, message } = toPlain(error)
  const told = error instanceof BridgeStatus ? error.metadata['code'] : undefined
  return { code: typeof told === 'string' ? told : code, message }
}
