// Changed lines as regions, and the regions slid to where people look for them: a block that was inserted or removed beside
// lines equal to its own could stand in several places. As git does, it is first slid up to meet the change above it, which
// saves a region, then down as far as it goes; git then weighs indentation, which is left out here.

import type { Changed } from './compare.ts'

/** Four numbers a region, ascending: lines of before from, to (exclusive), lines of after from, to. */
export type Regions = Int32Array

export function regionsOf (changed: Changed): Regions {
  const { before, after } = changed
  const found: number[] = []
  for (let x = 0, y = 0; x < before.length || y < after.length; x++, y++) {
    if (before[x] !== 1 && after[y] !== 1) continue
    const [fromX, fromY] = [x, y]
    while (before[x] === 1) x++
    while (after[y] === 1) y++
    found.push(fromX, x, fromY, y)
  }
  return Int32Array.from(found)
}

/** The same regions, tidied; `before` and `after` are the ids of all lines. Linear: a gap is crossed once each way. */
export function slideRegions (regions: Regions, before: Int32Array, after: Int32Array): Regions {
  const slid: number[] = []
  for (let at = 0; at < regions.length; at += 4) {
    const region: Region = [regions[at]!, regions[at + 1]!, regions[at + 2]!, regions[at + 3]!]
    while (isOneSided(region) && slideUp(region, slid.at(-3) ?? 0, before, after)) {
      if (slid.length === 0 || region[0] !== slid.at(-3)) break
      const [fromX, , fromY] = slid.splice(-4)
      region[0] = fromX!
      region[2] = fromY!
    }
    while (isOneSided(region) && slideDown(region, regions[at + 4] ?? before.length, before, after) && at + 4 < regions.length) {
      at += 4
      region[1] = regions[at + 1]!
      region[3] = regions[at + 3]!
    }
    slid.push(...region)
  }
  return Int32Array.from(slid)
}

type Region = [fromX: number, toX: number, fromY: number, toY: number]

const isOneSided = ([fromX, toX, fromY, toY]: Region): boolean => (fromX === toX) !== (fromY === toY)

/** True when it was slid as far up as `above`, the end of the region over it. */
function slideUp (region: Region, above: number, before: Int32Array, after: Int32Array): boolean {
  const removes = region[0] < region[1]
  const [side, from, to] = removes ? [before, region[0], region[1]] : [after, region[2], region[3]]
  const room = region[0] - above
  let by = 0
  while (by < room && side[from - 1 - by] === side[to - 1 - by]) by++
  move(region, -by)
  return by === room
}

/** True when it was slid as far down as `below`, the start of the region under it. */
function slideDown (region: Region, below: number, before: Int32Array, after: Int32Array): boolean {
  const removes = region[0] < region[1]
  const [side, from, to] = removes ? [before, region[0], region[1]] : [after, region[2], region[3]]
  const room = below - region[1]
  let by = 0
  while (by < room && side[from + by] === side[to + by]) by++
  move(region, by)
  return by === room
}

function move (region: Region, by: number): void {
  for (let index = 0; index < 4; index++) region[index]! += by
}
