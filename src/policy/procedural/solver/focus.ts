// Many lines are often equally suspicious, and an attempt cannot try much on each. So it looks closely at a few windows of
// lines, drawn by suspicion, and nowhere else: one attempt goes deep where another does not look at all.

import type { Random } from '../../../ports.ts'
import { innermost, type Suspect } from './localise.ts'

/** Of a long function more lines are suspicious, but it is hardly more likely to hold the bug: its lines share the weight. */
const sharing = 0.5

export interface FocusLimits {
  windowsMax: number
  /** Lines to either side of a window's middle. */
  windowReach: number
}

/** Lines are drawn by this power of their suspicion. */
const contrast = 4

export function focus (suspects: readonly Suspect[], random: Random, { windowsMax, windowReach }: FocusLimits): Suspect[] {
  const lines = suspects.flatMap(suspect => {
    const { path, score, suspicion } = suspect
    const sizes = unitSizes(suspect)
    return Object.entries(suspicion).map(([line, value]) => (
      { path, line: Number(line), weight: (score * value) ** contrast / sizes.get(unitStart(suspect, Number(line)))! ** sharing }
    ))
  })
  const windows: { path: string; line: number }[] = []
  while (windows.length < windowsMax) {
    const open = lines.filter(({ path, line }) => !windows.some(window => window.path === path && Math.abs(window.line - line) <= windowReach))
    const drawn = draw(open, random)
    if (drawn === null) break
    windows.push(drawn)
  }
  return suspects.flatMap(({ path, score, suspicion, units }) => {
    const own = windows.filter(window => window.path === path)
    if (own.length === 0) return []
    const focused = Object.entries(suspicion).filter(([line]) => own.some(window => Math.abs(window.line - Number(line)) <= windowReach))
    return [{ path, units, score: score * own.length, suspicion: Object.fromEntries(focused) }]
  })
}

/** Suspicious lines of every unit, by the unit's first line. */
function unitSizes (suspect: Suspect): Map<number, number> {
  const sizes = new Map<number, number>()
  for (const line of Object.keys(suspect.suspicion)) {
    const start = unitStart(suspect, Number(line))
    sizes.set(start, (sizes.get(start) ?? 0) + 1)
  }
  return sizes
}

const unitStart = ({ units }: Suspect, line: number): number => innermost(units, line)?.line ?? 0

function draw<T extends { weight: number }> (items: readonly T[], random: Random): T | null {
  let at = random.next() * items.reduce((sum, { weight }) => sum + weight, 0)
  for (const item of items) {
    at -= item.weight
    if (at < 0) return item
  }
  return items.at(-1) ?? null
}
