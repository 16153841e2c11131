// The one error class. What crosses a boundary (thread, bus, file, JSON output) is the plain form: `code` does not
// survive structured clone on an Error. Match codes, never text.

export interface PlainError { code: string; message: string; retryable: boolean; data: Record<string, unknown> }

export interface SparErrorOptions { retryable?: boolean; data?: Record<string, unknown>; cause?: unknown }

/**
 * An error with a stable code. Codes are SCREAMING_SNAKE and start with the area: `ARENA_NO_TESTS`, `SANDBOX_LOST`.
 * `retryable` says that the same call may succeed later: an infrastructure fault, never a reward.
 */
export class SparError extends Error {
  readonly code: string
  readonly retryable: boolean
  readonly data: Record<string, unknown>

  constructor (code: string, message: string, options: SparErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SparError'
    this.code = code
    this.retryable = options.retryable ?? false
    this.data = options.data ?? {}
  }
}

/** The plain form of anything that was thrown; a defect without a code becomes `DEFECT`, a disk without space `DISK_FULL`. */
export function toPlain (error: unknown): PlainError {
  if (error instanceof SparError) return { code: error.code, message: error.message, retryable: error.retryable, data: error.data }
  const message = error instanceof Error ? error.message : String(error)
  if (isDiskFull(error)) return toPlain(diskFull(message))
  return { code: 'DEFECT', message, retryable: false, data: {} }
}

const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException | null)?.code ?? '')

export const diskFull = (why: string): SparError =>
  new SparError('DISK_FULL', `Cannot write: the disk is full (${why}). Free some space, or move SPAR_HOME or --out to another disk`, { retryable: true })

export function fromPlain (plain: PlainError): SparError {
  return new SparError(plain.code, plain.message, { retryable: plain.retryable, data: plain.data })
}

/** After everything was tried: throws what failed first. */
export function throwFirst (results: readonly PromiseSettledResult<unknown>[]): void {
  const failed = results.find(result => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
