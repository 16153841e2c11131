// A list that grows at its end and whose older entries need not stay in the heap: what was said in a rollout. Entries are
// JSON-shaped. The last one is the entry itself, and may still be changed; the ones before it are read back as copies.

import type { KeptText, Spill, TextStore } from './spill.ts'

export interface SpilledList<Entry> {
  readonly length: number
  readonly last: Entry | undefined
  push (entry: Entry): void
  /** Entries from this one on. */
  slice (from?: number): Entry[]
  /** Characters of these entries as JSON. */
  characters (from?: number): number
  /** Gives back what it holds outside of the heap: then it is empty. Idempotent. */
  free (): void
}

const heap: TextStore = { keep: text => text, read: kept => kept as string, free: () => {} }

/** `spill` null: everything stays in the heap. */
export function createSpilledList<Entry> (spill: Spill | null): SpilledList<Entry> {
  const store = spill?.open() ?? heap
  let kept: { text: KeptText; characters: number }[] = []
  let live: { entry: Entry } | null = null

  const settle = (): void => {
    if (live === null) return
    const text = JSON.stringify(live.entry)
    kept.push({ text: store.keep(text), characters: text.length })
    live = null
  }

  return {
    get length () { return kept.length + (live === null ? 0 : 1) },
    get last () { return live?.entry },
    push (entry) {
      settle()
      live = { entry }
    },
    slice (from = 0) {
      const entries = kept.slice(from).map(({ text }) => JSON.parse(store.read(text)) as Entry)
      if (live !== null && from <= kept.length) entries.push(live.entry)
      return entries
    },
    characters (from = 0) {
      const settled = kept.slice(from).reduce((sum, { characters }) => sum + characters, 0)
      return live !== null && from <= kept.length ? settled + JSON.stringify(live.entry).length : settled
    },
    free () {
      store.free()
      kept = []
      live = null
    }
  }
}
