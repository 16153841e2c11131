// Lines as small integers: two lines have the same id only if their bytes are the same. Ids count in the order of first
// sight, `before` first, so that they do not depend on the hash.
//
// The table has open places and is at most half full. A line that meets more than `probesMax` other lines on its way gets
// an id of its own and is not entered: lines made to collide cost a longer diff, never a wrong or an endless one.

import { viewOf, type HashedLines } from './split.ts'

export interface Interned { before: Int32Array; after: Int32Array; ids: number }

export function internLines (before: HashedLines, after: HashedLines, probesMax: number): Interned {
  const lines = before.count + after.count
  const mask = 2 ** (32 - Math.clz32(2 * lines + 1)) - 1
  const places = new Int32Array(mask + 1)
  // Where an id was first seen: line n of before, or line n of after as -1 - n.
  const firstSeen = new Int32Array(lines)
  const views = [viewOf(before.bytes), viewOf(after.bytes)] as const
  let ids = 0
  const enter = (side: HashedLines, isAfter: boolean): Int32Array => {
    const { starts, hashes, count } = side
    const view = views[isAfter ? 1 : 0]
    const found = new Int32Array(count)
    for (let line = 0; line < count; line++) {
      const hash = hashes[line]!
      const start = starts[line]!
      const length = starts[line + 1]! - start
      let place = hash & mask
      let id = -1
      let probes = 0
      for (; probes < probesMax; probes++, place = (place + 1) & mask) {
        const entry = places[place]! - 1
        if (entry === -1) break
        const seen = firstSeen[entry]!
        const other = seen >= 0 ? before : after
        const row = seen >= 0 ? seen : -1 - seen
        if (other.hashes[row] !== hash) continue
        const from = other.starts[row]!
        if (other.starts[row + 1]! - from === length && sameBytes(view, start, views[seen >= 0 ? 0 : 1], from, length)) {
          id = entry
          break
        }
      }
      if (id === -1) {
        id = ids++
        firstSeen[id] = isAfter ? -1 - line : line
        if (probes < probesMax) places[place] = id + 1
      }
      found[line] = id
    }
    return found
  }
  const beforeIds = enter(before, false)
  return { before: beforeIds, after: enter(after, true), ids }
}

function sameBytes (a: DataView, aFrom: number, b: DataView, bFrom: number, length: number): boolean {
  let at = 0
  for (; at + 4 <= length; at += 4) if (a.getInt32(aFrom + at, true) !== b.getInt32(bFrom + at, true)) return false
  for (; at < length; at++) if (a.getUint8(aFrom + at) !== b.getUint8(bFrom + at)) return false
  return true
}
