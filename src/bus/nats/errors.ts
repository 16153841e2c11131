// What NATS says, in the bus's words. Matched by code: JetStream's own error codes, the client's, never by text.

import { ErrorCode, Events, NatsError, type Status } from 'nats'
import { SparError, toPlain } from '../../errors.ts'

/** JetStream's error codes (server/errors.json of nats-server). */
export const jetStreamErrors = {
  notEnoughMemory: 10028,
  insufficientStorage: 10047,
  memoryResources: 10028,
  storageResources: 10047,
  storeFailed: 10077,
  wrongLastSequence: 10071,
  wrongLastMessage: 10070,
  messageNotFound: 10037,
  streamNotFound: 10059,
  consumerNotFound: 10014,
  streamNameInUse: 10058,
  streamSubjectOverlap: 10065,
  consumerExists: 10148,
  accountResources: 10002,
  noSuitablePeers: 10005,
  clusterNotLeader: 10009,
  clusterNotAvailable: 10008,
  jetStreamNotEnabled: 10076,
  jetStreamNotEnabledForAccount: 10039
} as const

const full: readonly number[] = [jetStreamErrors.insufficientStorage, jetStreamErrors.notEnoughMemory, jetStreamErrors.storeFailed, jetStreamErrors.accountResources, 10023, 10026]
const missing: readonly number[] = [jetStreamErrors.streamNotFound, jetStreamErrors.jetStreamNotEnabled, jetStreamErrors.jetStreamNotEnabledForAccount]
const refused: readonly string[] = [ErrorCode.AuthorizationViolation, ErrorCode.AuthenticationExpired, ErrorCode.AuthenticationTimeout, ErrorCode.BadAuthentication, ErrorCode.BadCreds, ErrorCode.AccountExpired]
/** What Node says of a certificate that it does not trust. */
const distrusted = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT_)/

/** The client wraps what its socket said. */
const codesOf = (error: unknown): string[] => {
  const { code, chainedError } = (error ?? {}) as { code?: string; chainedError?: { code?: string } }
  return [code ?? '', chainedError?.code ?? '']
}

export const apiCode = (error: unknown): number | null => (error as NatsError | null)?.api_error?.err_code ?? null

export const isFull = (error: unknown): boolean => full.includes(apiCode(error) ?? 0)

/** `doing` completes "Cannot …". */
export function busError (error: unknown, doing: string): SparError {
  if (error instanceof SparError) return error
  const { message } = toPlain(error)
  const codes = codesOf(error)
  const code = codes[0]!
  const api = apiCode(error)
  const make = (busCode: string, why: string, retryable: boolean): SparError => new SparError(busCode, `Cannot ${doing}: ${why}`, { retryable, cause: error, data: { nats: api ?? code } })
  if (isFull(error)) return make('BUS_FULL', `the bus takes no more (${message})`, true)
  if (api === jetStreamErrors.wrongLastSequence) return make('BUS_CONFLICT', 'somebody else has written it', false)
  if (api !== null && missing.includes(api)) return make('BUS_MISSING', `${message}. Make the streams with a credential that may: spar node or spar run submit as an operator does`, false)
  if (code === ErrorCode.PermissionsViolation) return make('BUS_DENIED', `the server does not allow it (${message}). Use the credential of a role that may: docs/cluster.md lists them`, false)
  if (refused.includes(code)) return make('BUS_DENIED', `the server does not take this credential, or wants one (${message}). Give --nats-nkey, --nats-creds or --nats-user`, false)
  if (codes.some(code => distrusted.test(code))) return make('BUS_DENIED', `the server's certificate is not trusted (${message}). Give the authority that signed it: --nats-ca`, false)
  if (codes.some(code => code.startsWith('ERR_SSL_'))) return make('BUS_DENIED', `the certificates do not fit (${message}). Give --nats-ca, and where the server wants one --nats-cert and --nats-key`, false)
  if (code === ErrorCode.MaxPayloadExceeded) return make('BUS_TOO_LARGE', 'it is larger than the payload of the server', false)
  if (code === ErrorCode.ConnectionClosed || code === ErrorCode.ConnectionDraining) return make('BUS_CLOSED', 'the connection was closed', false)
  return make('BUS_UNAVAILABLE', code === ErrorCode.Timeout ? 'the server does not answer in time' : message, true)
}

/** Calls, and says what went wrong in the bus's words. While the bus is away nothing is called, and nothing piles up. */
export async function told<T> ({ isUp, closed }: { isUp (): boolean; closed: AbortSignal }, doing: string, call: () => Promise<T>): Promise<T> {
  if (closed.aborted) throw new SparError('BUS_CLOSED', `Cannot ${doing}: the connection was closed`)
  if (!isUp()) throw new SparError('BUS_UNAVAILABLE', `Cannot ${doing}: the bus is away`, { retryable: true })
  try {
    return await call()
  } catch (error) {
    throw busError(error, doing)
  }
}

/** What the server does not let this connection publish to; it says so beside the conversation, and answers nothing. */
export function deniedBy ({ type, permissionContext }: Status): { subject: string; error: NatsError } | null {
  if (type !== Events.Error || permissionContext?.operation !== 'publish') return null
  const { subject } = permissionContext
  return { subject, error: new NatsError(`it may not publish to ${subject}`, ErrorCode.PermissionsViolation) }
}
