// How a call ends: gRPC's codes, and the error that says one of them.

import { SparError, toPlain } from '../errors.ts'
import type { Metadata } from './frame.ts'

export const statusCodes = {
  OK: 0, CANCELLED: 1, UNKNOWN: 2, INVALID_ARGUMENT: 3, DEADLINE_EXCEEDED: 4, NOT_FOUND: 5, ALREADY_EXISTS: 6, PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8, FAILED_PRECONDITION: 9, ABORTED: 10, OUT_OF_RANGE: 11, UNIMPLEMENTED: 12, INTERNAL: 13, UNAVAILABLE: 14, DATA_LOSS: 15,
  UNAUTHENTICATED: 16
} as const

export type StatusName = keyof typeof statusCodes

const names = Object.keys(statusCodes) as StatusName[]
const retryable: readonly StatusName[] = ['UNAVAILABLE', 'RESOURCE_EXHAUSTED']

export const statusName = (code: number): StatusName => names[code] ?? 'UNKNOWN'

export interface StatusOptions {
  /** The trailers. */
  metadata?: Metadata
  /** Nobody has begun with the call: to try again repeats nothing. */
  isUnbegun?: boolean
  cause?: unknown
}

/** The end of a call that is not OK. Its code is `BRIDGE_<NAME>`; a handler throws one to choose how its call ends. */
export class BridgeStatus extends SparError {
  readonly status: StatusName
  readonly metadata: Metadata

  constructor (status: Exclude<StatusName, 'OK'>, text: string, { metadata = {}, isUnbegun = false, cause }: StatusOptions = {}) {
    super(`BRIDGE_${status}`, text, { retryable: retryable.includes(status), data: { status: statusCodes[status], isUnbegun }, ...cause === undefined ? {} : { cause } })
    this.name = 'BridgeStatus'
    this.status = status
    this.metadata = metadata
  }

  get number (): number { return statusCodes[this.status] }
}

/** What was thrown, as a status: INTERNAL, unless it is one. Its message is told, its stack is not. */
export const toStatus = (error: unknown): BridgeStatus =>
  error instanceof BridgeStatus ? error : new BridgeStatus('INTERNAL', toPlain(error).message, { cause: error })
