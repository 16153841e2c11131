// One cut of a region: where a shortest way from its start meets a shortest way from its end (Myers 1986, in linear
// space), or the furthest point that one of them has reached: past `costMax` edits from either end, or earlier on a long run
// of equal lines.
//
// A region is a from aFrom to aTo against b from bFrom to bTo, with neither side empty, its first lines different, and its
// last. A diagonal is x - y; `ahead` holds the largest x that a way from the start has reached on each, `back` the
// smallest x of a way from the end. One search costs at most about costMax times what its cut gains, so that a whole
// comparison is linear in its lines.

export interface Searcher {
  a: Int32Array
  b: Int32Array
  ahead: Int32Array
  back: Int32Array
  /** Added to a diagonal, so that it is an index. */
  shift: number
  /** Steps that are left of stepsMax. */
  stepsLeft: number
  /** The cut that was found. */
  x: number
  y: number
}

export function createSearcher (a: Int32Array, b: Int32Array, stepsLeft: number): Searcher {
  const diagonals = a.length + b.length + 5
  return { a, b, ahead: new Int32Array(diagonals), back: new Int32Array(diagonals), shift: b.length + 2, stepsLeft, x: 0, y: 0 }
}

const unreached = 0x7fffffff

/** Leaves a cut in `searcher`; false when it is only the furthest point, and nothing speaks for its way being a short one. */
export function findMiddle (searcher: Searcher, aFrom: number, aTo: number, bFrom: number, bTo: number, costMax: number): boolean {
  const { a, b, ahead, back, shift } = searcher
  const low = aFrom - bTo + shift
  const high = aTo - bFrom + shift
  const start = aFrom - bFrom + shift
  const end = aTo - bTo + shift
  const odd = ((start - end) & 1) !== 0
  let aheadLow = start
  let aheadHigh = start
  let backLow = end
  let backHigh = end
  ahead[start] = aFrom
  back[end] = aTo
  let steps = 0
  for (let cost = 1; ; cost++) {
    if (aheadLow > low) ahead[--aheadLow - 1] = -1
    else aheadLow++
    if (aheadHigh < high) ahead[++aheadHigh + 1] = -1
    else aheadHigh--
    for (let diagonal = aheadHigh; diagonal >= aheadLow; diagonal -= 2) {
      const across = ahead[diagonal - 1]! + 1
      const down = ahead[diagonal + 1]!
      let x = across > down ? across : down
      let y = x - diagonal + shift
      const from = x
      while (x < aTo && y < bTo && a[x] === b[y]) { x++; y++ }
      steps += x - from
      ahead[diagonal] = x
      if (odd && diagonal >= backLow && diagonal <= backHigh && back[diagonal]! <= x) return cutAt(searcher, x, y, steps)
    }
    if (backLow > low) back[--backLow - 1] = unreached
    else backLow++
    if (backHigh < high) back[++backHigh + 1] = unreached
    else backHigh--
    for (let diagonal = backHigh; diagonal >= backLow; diagonal -= 2) {
      const across = back[diagonal + 1]! - 1
      const up = back[diagonal - 1]!
      let x = up < across ? up : across
      let y = x - diagonal + shift
      const from = x
      while (x > aFrom && y > bFrom && a[x - 1] === b[y - 1]) { x--; y-- }
      steps += from - x
      back[diagonal] = x
      if (!odd && diagonal >= aheadLow && diagonal <= aheadHigh && x <= ahead[diagonal]!) return cutAt(searcher, x, y, steps)
    }
    steps += aheadHigh - aheadLow + backHigh - backLow + 4 >> 1
    if (cost < costMax && cost % runEvery !== 0) continue
    cutAtFurthest(searcher, { aFrom, aTo, bFrom, bTo }, [aheadLow, aheadHigh], [backLow, backHigh])
    const onRun = endsRun(searcher, aFrom, aTo, bFrom, bTo)
    if (cost < costMax && !onRun) continue
    searcher.stepsLeft -= steps
    return onRun
  }
}

// A search that has come to a run of this many equal lines has most likely found the right diagonal, and may stop early;
// it is looked for every so many edits.
const runLines = 24
const runEvery = 64

function endsRun ({ a, b, x, y }: Searcher, aFrom: number, aTo: number, bFrom: number, bTo: number): boolean {
  let above = 0
  while (above < runLines && x - above > aFrom && y - above > bFrom && a[x - above - 1] === b[y - above - 1]) above++
  let below = 0
  while (below < runLines && x + below < aTo && y + below < bTo && a[x + below] === b[y + below]) below++
  return above === runLines || below === runLines
}

function cutAt (searcher: Searcher, x: number, y: number, steps: number): boolean {
  searcher.x = x
  searcher.y = y
  searcher.stepsLeft -= steps + 1
  return true
}

interface Region { aFrom: number; aTo: number; bFrom: number; bTo: number }

/** A way may have left the region by its side: its point is then the one where it touched it. */
function cutAtFurthest (searcher: Searcher, { aFrom, aTo, bFrom, bTo }: Region, [aheadLow, aheadHigh]: [number, number], [backLow, backHigh]: [number, number]): void {
  const { ahead, back, shift } = searcher
  let [gain, x, y] = [-1, aFrom, bFrom]
  for (let diagonal = aheadHigh; diagonal >= aheadLow; diagonal -= 2) {
    const toX = Math.min(ahead[diagonal]!, aTo, bTo + diagonal - shift)
    const toY = toX - diagonal + shift
    if (toX + toY - aFrom - bFrom > gain) [gain, x, y] = [toX + toY - aFrom - bFrom, toX, toY]
  }
  for (let diagonal = backHigh; diagonal >= backLow; diagonal -= 2) {
    const toX = Math.max(back[diagonal]!, aFrom, bFrom + diagonal - shift)
    const toY = toX - diagonal + shift
    if (aTo + bTo - toX - toY > gain) [gain, x, y] = [aTo + bTo - toX - toY, toX, toY]
  }
  searcher.x = x
  searcher.y = y
}
