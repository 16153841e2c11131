// A writer for values of which only the latest counts: one write at a time, and what was overtaken meanwhile is left out.

export interface LatestOnly<Value> {
  /** Resolves when this value, or a later one, is written. */
  write (value: Value): Promise<void>
}

export function latestOnly<Value> (write: (value: Value) => Promise<void>): LatestOnly<Value> {
  let next: { value: Value; written: Promise<void> } | null = null
  let last: Promise<void> = Promise.resolve()
  return {
    write (value) {
      if (next !== null) {
        next.value = value
        return next.written
      }
      const entry = { value, written: last }
      next = entry
      entry.written = last = last.then(async () => {
        next = null
        await write(entry.value)
      })
      return entry.written
    }
  }
}
