// What a line diff may cost. Past a limit of input the diff is refused; past a limit of effort it only gets longer.

import { SparError } from '../../errors.ts'

export interface DiffLimits {
  /** Bytes of one side. */
  bytesMax: number
  /** Lines of one side. */
  linesMax: number
  /** Bytes of a path. */
  pathBytesMax: number
  /** Different lines with one place in the hash table that are told apart; a line beyond them equals no other. */
  probesMax: number
  /** Edits from one end of a region after which the search is cut there. */
  costMax: number
  /** How often a region is split at anchors that lie within anchors. */
  anchorDepthMax: number
  /** Steps of the search in all; what is not compared by then is replaced as a whole. A few ns a step. */
  stepsMax: number
}

export const diffLimits: Readonly<DiffLimits> = {
  bytesMax: 128 * 2 ** 20,
  linesMax: 4_000_000,
  pathBytesMax: 4096,
  probesMax: 64,
  costMax: 256,
  anchorDepthMax: 16,
  stepsMax: 1_000_000_000
}

export const tooLarge = (what: string, limit: keyof DiffLimits, value: number): SparError =>
  new SparError('DIFF_TOO_LARGE', `Cannot compare: ${what} more than ${value} (${limit})`, { data: { limit, value } })
