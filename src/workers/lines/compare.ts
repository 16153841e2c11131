// Which lines differ. Four means, from cheap to dear: equal ends are cut off; lines that the other side does not have are
// changed for sure and leave the search; a region is halved by Myers' middle while that costs at most `costMax` edits; past
// that it is split at its anchors, and without anchors at the furthest point of the search.
//
// Invariants: (1) what is not marked has the same ids in the same order on both sides, whichever limit was met, so that
// every limit costs length and never correctness; (2) the smaller part of a cut is searched first, so that the stack is
// log n deep.

import { count, createTally, findAnchors, forget, type Tally } from './anchors.ts'
import type { Interned } from './intern.ts'
import type { DiffLimits } from './limits.ts'
import { createSearcher, findMiddle, type Searcher } from './middle.ts'

/** 1 where a line is changed: removed from before, or added by after. */
export interface Changed { before: Uint8Array; after: Uint8Array }

export type CompareLimits = Pick<DiffLimits, 'costMax' | 'anchorDepthMax' | 'stepsMax'>

interface Comparison { changed: Changed; tally: Tally; limits: CompareLimits; stepsLeft: number }

/** The ids of some lines of both sides, and which lines those are. */
interface Part { a: Int32Array; b: Int32Array; aLines: Int32Array; bLines: Int32Array }

export function compareLines ({ before, after, ids }: Interned, limits: CompareLimits): Changed {
  const changed = { before: new Uint8Array(before.length), after: new Uint8Array(after.length) }
  let top = 0
  const shorter = Math.min(before.length, after.length)
  while (top < shorter && before[top] === after[top]) top++
  let bottom = 0
  while (bottom < shorter - top && before[before.length - 1 - bottom] === after[after.length - 1 - bottom]) bottom++
  const comparison = { changed, tally: createTally(ids), limits, stepsLeft: limits.stepsMax }
  const [aLines, bLines] = [range(top, before.length - bottom), range(top, after.length - bottom)]
  comparePart(comparison, { a: before.subarray(top, before.length - bottom), b: after.subarray(top, after.length - bottom), aLines, bLines }, 0)
  return changed
}

function range (from: number, to: number): Int32Array {
  const numbers = new Int32Array(to - from)
  for (let number = from; number < to; number++) numbers[number - from] = number
  return numbers
}

/** Marks and leaves out what the other side does not have, and searches the rest. */
function comparePart (comparison: Comparison, part: Part, depth: number): void {
  const { tally, changed } = comparison
  count(tally, part.a, part.b)
  const [a, aLines] = kept(part.a, part.aLines, tally.inAfter, changed.before)
  const [b, bLines] = kept(part.b, part.bLines, tally.inBefore, changed.after)
  forget(tally, part.a, part.b)
  if (a.length > 0) search(comparison, { a, b, aLines, bLines }, depth)
}

function kept (side: Int32Array, lines: Int32Array, inOther: Int32Array, changed: Uint8Array): [Int32Array, Int32Array] {
  const ids = new Int32Array(side.length)
  const places = new Int32Array(side.length)
  let length = 0
  for (let index = 0; index < side.length; index++) {
    if (inOther[side[index]!] === 0) changed[lines[index]!] = 1
    else {
      ids[length] = side[index]!
      places[length++] = lines[index]!
    }
  }
  return [ids.subarray(0, length), places.subarray(0, length)]
}

/** Steps that reading a line for anchors is worth. */
const anchorPrice = 4

function search (comparison: Comparison, part: Part, depth: number): void {
  const { a, b } = part
  const { limits: { costMax, anchorDepthMax } } = comparison
  const searcher = createSearcher(a, b, comparison.stepsLeft)
  const stack = [0, a.length, 0, b.length]
  // Looking for anchors reads the whole region: the search has to have cost as much, but for the first time.
  let credit = anchorPrice * (a.length + b.length)
  while (stack.length > 0) {
    let [aFrom, aTo, bFrom, bTo] = stack.splice(-4) as [number, number, number, number]
    while (aFrom < aTo && bFrom < bTo && a[aFrom] === b[bFrom]) { aFrom++; bFrom++ }
    while (aFrom < aTo && bFrom < bTo && a[aTo - 1] === b[bTo - 1]) { aTo--; bTo-- }
    if (aFrom === aTo || bFrom === bTo || searcher.stepsLeft <= 0) {
      markAll(comparison.changed, part, aFrom, aTo, bFrom, bTo)
      continue
    }
    const stepsBefore = searcher.stepsLeft
    const found = findMiddle(searcher, aFrom, aTo, bFrom, bTo, costMax)
    credit += stepsBefore - searcher.stepsLeft
    const price = anchorPrice * (aTo - aFrom + bTo - bFrom)
    if (!found && depth < anchorDepthMax && credit >= price) {
      credit -= price
      comparison.stepsLeft = searcher.stepsLeft - price
      const split = splitAtAnchors(comparison, cut(part, aFrom, aTo, bFrom, bTo), depth + 1)
      searcher.stepsLeft = comparison.stepsLeft
      if (split) continue
    }
    pushCut(stack, searcher, aFrom, aTo, bFrom, bTo)
  }
  comparison.stepsLeft = searcher.stepsLeft
}

function pushCut (stack: number[], { x, y }: Searcher, aFrom: number, aTo: number, bFrom: number, bTo: number): void {
  if (x - aFrom + y - bFrom > aTo - x + bTo - y) stack.push(aFrom, x, bFrom, y, x, aTo, y, bTo)
  else stack.push(x, aTo, y, bTo, aFrom, x, bFrom, y)
}

function markAll (changed: Changed, { aLines, bLines }: Part, aFrom: number, aTo: number, bFrom: number, bTo: number): void {
  for (let x = aFrom; x < aTo; x++) changed.before[aLines[x]!] = 1
  for (let y = bFrom; y < bTo; y++) changed.after[bLines[y]!] = 1
}

const cut = ({ a, b, aLines, bLines }: Part, aFrom: number, aTo: number, bFrom: number, bTo: number): Part =>
  ({ a: a.subarray(aFrom, aTo), b: b.subarray(bFrom, bTo), aLines: aLines.subarray(aFrom, aTo), bLines: bLines.subarray(bFrom, bTo) })

/** Compares what lies between the anchors; false where there are none. */
function splitAtAnchors (comparison: Comparison, part: Part, depth: number): boolean {
  const { tally } = comparison
  count(tally, part.a, part.b)
  const { xs, ys } = findAnchors(tally, part.a, part.b)
  forget(tally, part.a, part.b)
  let [x, y] = [0, 0]
  for (let index = 0; index < xs.length; index++) {
    comparePart(comparison, cut(part, x, xs[index]!, y, ys[index]!), depth)
    x = xs[index]! + 1
    y = ys[index]! + 1
  }
  if (xs.length > 0) comparePart(comparison, cut(part, x, part.a.length, y, part.b.length), depth)
  return xs.length > 0
}
