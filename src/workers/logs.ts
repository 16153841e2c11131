// Reading logs beside the event loop: a large one in a thread, a small one where it is, since the way to a thread costs as
// much as reading it.

import { readTestLog, type LogOptions, type LogReading } from './testlog/index.ts'
import type { Workers } from './pool.ts'

/** From this size on a log takes about a millisecond. */
export const logBytesInline = 64 * 2 ** 10

export type ReadLog = (log: Uint8Array, options: LogOptions) => Promise<LogReading>

/** The log is copied to the thread: whoever asks needs it still. */
export const createReadLog = (workers: Pick<Workers, 'run'>): ReadLog => async (log, options) =>
  log.length < logBytesInline ? readTestLog(log, options) : await workers.run('log', { log, options })

/** Without threads, for one verification at a time. */
export const readLogHere: ReadLog = async (log, options) => readTestLog(log, options)
