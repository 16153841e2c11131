// A writer of something that changes, of which only the latest counts: one write at a time, and what was overtaken meanwhile is
// left out.

export interface LatestOnly {
  /** Resolves when what there is now, or what came later, is written. */
  write (): Promise<void>
}

/** `write` takes what there is when it is called. */
export function latestOnly (write: () => Promise<void>): LatestOnly {
  let next: Promise<void> | null = null
  let last: Promise<void> = Promise.resolve()
  return {
    write () {
      next ??= last = last.then(async () => {
        next = null
        await write()
      })
      return next
    }
  }
}
