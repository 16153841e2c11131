// Everything that happens in a simulation, in order: what two runs of a seed are compared by, and what is looked at when one fails.

import { createHash } from 'node:crypto'

/** `ms`: since the simulation began. */
export interface TraceLine { ms: number; who: string; what: string; detail: string }

export interface Trace {
  add (line: TraceLine): void
  readonly lines: number
  /** SHA-256 over all lines, hexadecimal; nothing can be added after it. */
  hash (): string
}

/** Lines are hashed so many at a time. */
const batch = 1_024

export function createTrace (onLine: ((line: TraceLine) => void) | null = null): Trace {
  const hash = createHash('sha256')
  let waiting: string[] = []
  let lines = 0
  const flush = (): void => {
    hash.update(waiting.join(''))
    waiting = []
  }
  return {
    add (line) {
      lines++
      if (waiting.push(`${line.ms} ${line.who} ${line.what} ${line.detail}\n`) >= batch) flush()
      onLine?.(line)
    },
    get lines () { return lines },
    hash () {
      flush()
      return hash.digest('hex')
    }
  }
}
