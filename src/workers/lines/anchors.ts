// Anchors of a region: lines that occur once on each side, as many of them as stand in the same order on both (patience
// diff). Where a file is shuffled or has blocks moved they are the longest common part, at n log n. Where few lines are
// unique they say little (one that was moved would pin everything else to its way), and there are none.

/** How often each id occurs in a region, and where last; all zero between two uses. */
export interface Tally { inBefore: Int32Array; inAfter: Int32Array; lastBefore: Int32Array; lastAfter: Int32Array }

export const createTally = (ids: number): Tally =>
  ({ inBefore: new Int32Array(ids), inAfter: new Int32Array(ids), lastBefore: new Int32Array(ids), lastAfter: new Int32Array(ids) })

export function count (tally: Tally, a: Int32Array, b: Int32Array): void {
  for (let x = 0; x < a.length; x++) {
    tally.inBefore[a[x]!]!++
    tally.lastBefore[a[x]!] = x
  }
  for (let y = 0; y < b.length; y++) {
    tally.inAfter[b[y]!]!++
    tally.lastAfter[b[y]!] = y
  }
}

export function forget (tally: Tally, a: Int32Array, b: Int32Array): void {
  for (let x = 0; x < a.length; x++) tally.inBefore[a[x]!] = 0
  for (let y = 0; y < b.length; y++) tally.inAfter[b[y]!] = 0
}

/** Share of the shorter side that has to be unique. */
const uniqueMin = 0.25

/** Places in a and b of the anchors, ascending on both sides; of equally long chains the one that ends first in b. */
export function findAnchors (tally: Tally, a: Int32Array, b: Int32Array): { xs: Int32Array; ys: Int32Array } {
  const xs = new Int32Array(a.length)
  const ys = new Int32Array(a.length)
  let pairs = 0
  for (let x = 0; x < a.length; x++) {
    if (tally.inBefore[a[x]!] !== 1 || tally.inAfter[a[x]!] !== 1) continue
    xs[pairs] = x
    ys[pairs++] = tally.lastAfter[a[x]!]!
  }
  if (pairs < uniqueMin * Math.min(a.length, b.length)) pairs = 0
  const chain = longestRising(ys.subarray(0, pairs))
  return { xs: chain.map(pair => xs[pair]!), ys: chain.map(pair => ys[pair]!) }
}

/** Indices of a longest rising subsequence (patience sorting): `tails[n]` ends the best chain of n + 1. */
function longestRising (values: Int32Array): Int32Array {
  const tails = new Int32Array(values.length)
  const previous = new Int32Array(values.length)
  let length = 0
  for (let index = 0; index < values.length; index++) {
    let low = 0
    let high = length
    while (low < high) {
      const middle = (low + high) >> 1
      if (values[tails[middle]!]! < values[index]!) low = middle + 1
      else high = middle
    }
    previous[index] = low > 0 ? tails[low - 1]! : -1
    tails[low] = index
    if (low === length) length++
  }
  const chain = new Int32Array(length)
  for (let at = length - 1, index = length > 0 ? tails[length - 1]! : -1; at >= 0; at--, index = previous[index]!) chain[at] = index
  return chain
}
