// Many lines are often equally suspicious, and an attempt cannot try much on each. So it looks closely at a few windows of
// lines, drawn by suspicion, and nowhere else: one attempt goes deep where another does not look at all.

import type { Random } from '../../../ports.ts'
import type { Suspect } from './localise.ts'

export interface FocusLimits {
  windowsMax: number
  /** Lines to either side of a window's middle. */
  windowReach: number
}

/** Lines are drawn by this power of their suspicion. */
const contrast = 3

export function focus (suspects: readonly Suspect[], random: Random, { windowsMax, windowReach }: FocusLimits): Suspect[] {
  const lines = suspects.flatMap(({ path, score, suspicion }) => Object.entries(suspicion).map(([line, value]) => (
    { path, line: Number(line), weight: (score * value) ** contrast }
  )))
  const windows: { path: string; line: number }[] = []
  while (windows.length < windowsMax) {
    const open = lines.filter(({ path, line }) => !windows.some(window => window.path === path && Math.abs(window.line - line) <= windowReach))
    const drawn = draw(open, random)
    if (drawn === null) break
    windows.push(drawn)
  }
  return suspects.flatMap(({ path, score, suspicion }) => {
    const own = windows.filter(window => window.path === path)
    if (own.length === 0) return []
    const focused = Object.entries(suspicion).filter(([line]) => own.some(window => Math.abs(window.line - Number(line)) <= windowReach))
    return [{ path, score: score * own.length, suspicion: Object.fromEntries(focused) }]
  })
}

function draw<T extends { weight: number }> (items: readonly T[], random: Random): T | null {
  let at = random.next() * items.reduce((sum, { weight }) => sum + weight, 0)
  for (const item of items) {
    at -= item.weight
    if (at < 0) return item
  }
  return items.at(-1) ?? null
}
