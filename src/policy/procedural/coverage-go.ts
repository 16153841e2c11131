// Go's coverage profile as lines. A profile names files by import path; the module's own path, from go.mod, is cut off.

import type { LineRange, Lines } from './coverage.ts'

/** `text`: the head of go.mod and the profile, one after the other. */
export function goProfileLines (text: string): Lines {
  const module = /^module\s+(\S+)/m.exec(text)?.[1]
  const lines: Lines = new Map()
  if (module === undefined) return lines
  for (const [, file = '', first, last, count] of text.matchAll(/^(\S+\.go):(\d+)\.\d+,(\d+)\.\d+ \d+ (\d+)$/gm)) {
    if (count === '0' || !file.startsWith(`${module}/`)) continue
    const path = file.slice(module.length + 1)
    const range: LineRange = [Number(first), Number(last)]
    const ranges = lines.get(path)
    if (ranges === undefined) lines.set(path, [range])
    else ranges.push(range)
  }
  return lines
}
