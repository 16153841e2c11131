// The smallest search-and-replace that turns one text into another: the changed lines, widened line by line until the
// search text stands exactly once. What does not fit: mixed or CRLF line ends next to the change, an empty text and
// changes of the last line's end, for which there is no safe edit; the file is then written as a whole.

import { wholeLineMatches } from '../../rollout/tools.ts'

export function smallestEdit (before: string, after: string): { search: string; replace: string } | null {
  if (before === '' || before === after || before.endsWith('\n') !== after.endsWith('\n')) return null
  if (before.includes('\r') || after.includes('\r')) return null
  const old = before.split('\n')
  const next = after.split('\n')
  let top = 0
  while (top < old.length && top < next.length && old[top] === next[top]) top++
  let bottom = 0
  while (bottom < old.length - top && bottom < next.length - top && old[old.length - 1 - bottom] === next[next.length - 1 - bottom]) bottom++
  return widen(before, old, next, top, bottom)
}

function widen (before: string, old: string[], next: string[], top: number, bottom: number): { search: string; replace: string } | null {
  for (let first = top, last = bottom; ; first = Math.max(0, first - 1), last = Math.max(0, last - 1)) {
    const search = old.slice(first, old.length - last).join('\n')
    const replace = next.slice(first, next.length - last).join('\n')
    // An empty replacement would leave an empty line behind, and an empty search matches everywhere.
    const usable = search !== '' && replace !== '' && !search.endsWith('\n')
    if (usable && wholeLineMatches(before, search).length === 1) return { search, replace }
    if (first === 0 && last === 0) return null
  }
}
