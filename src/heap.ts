// A binary heap: the first of what is in it is always at hand.

export interface Heap<T> {
  readonly size: number
  push (item: T): void
  /** Null when it is empty. */
  peek (): T | null
  shift (): T | null
  /** Leaves out all of which `isKept` says no. */
  keep (isKept: (item: T) => boolean): void
}

/** `isBefore` has to be an order in which no two items are equal, or which of them comes first is chance. */
export function createHeap<T> (isBefore: (one: T, other: T) => boolean): Heap<T> {
  let items: T[] = []

  function sink (item: T, from: number): void {
    let at = from
    for (;;) {
      let below = 2 * at + 1
      if (below >= items.length) break
      if (below + 1 < items.length && isBefore(items[below + 1]!, items[below]!)) below++
      if (!isBefore(items[below]!, item)) break
      items[at] = items[below]!
      at = below
    }
    items[at] = item
  }

  return {
    get size () { return items.length },
    push (item) {
      let at = items.push(item) - 1
      while (at > 0) {
        const above = (at - 1) >> 1
        if (!isBefore(item, items[above]!)) break
        items[at] = items[above]!
        at = above
      }
      items[at] = item
    },
    peek: () => items[0] ?? null,
    shift () {
      if (items.length === 0) return null
      const first = items[0]!
      const last = items.pop()!
      if (items.length > 0) sink(last, 0)
      return first
    },
    keep (isKept) {
      items = items.filter(isKept)
      for (let at = (items.length >> 1) - 1; at >= 0; at--) sink(items[at]!, at)
    }
  }
}
