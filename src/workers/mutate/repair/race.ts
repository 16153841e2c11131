// The order of candidates. Every family of candidates has a share: among the first n, a family with weight w holds about
// n * w / sum. Inside a family the score decides, with enough seeded noise that another seed explores another order.

import type { Random } from '../../../ports.ts'
import type { Edit } from '../types.ts'

export interface Candidate {
  operator: string
  edit: Edit
  /** Higher is more promising; comparable inside one family, on a logarithmic scale. */
  score: number
}

export interface Family { weight: number; candidates: Candidate[] }

/** How much chance there is in the order, on the scale of the scores. */
const temperature = 0.35

export function race (families: Family[], random: Random): Candidate[] {
  const entries: { candidate: Candidate; key: number }[] = []
  for (const { weight, candidates } of families) {
    const ranked = candidates.map(candidate => ({ candidate, score: candidate.score + temperature * gumbel(random) }))
    ranked.sort((a, b) => b.score - a.score)
    ranked.forEach(({ candidate }, index) => entries.push({ candidate, key: (index + random.next()) / weight }))
  }
  entries.sort((a, b) => a.key - b.key)
  return entries.map(entry => entry.candidate)
}

function gumbel (random: Random): number {
  return -Math.log(-Math.log(random.next() * 0.999998 + 0.000001))
}

/**
 * What an edit does, whatever way it was written: the longest text that it leaves at the front, then at the back. Two edits
 * of one text have the same key exactly when they give the same text. null: it changes nothing.
 */
export function effectOf (text: string, edit: Edit): string | null {
  const length = text.length - (edit.end - edit.start) + edit.text.length
  const shift = length - text.length
  const after = (at: number): string | undefined => at < edit.start ? text[at] : at < edit.start + edit.text.length ? edit.text[at - edit.start] : text[at - shift]
  let front = edit.start
  while (front < text.length && front < length && text[front] === after(front)) front++
  if (front === text.length && front === length) return null
  let back = text.length
  let newBack = length
  const suffix = text.length - edit.end
  back -= suffix
  newBack -= suffix
  if (back < front || newBack < front) {
    const step = front - Math.min(back, newBack)
    back += step
    newBack += step
  } else {
    while (back > front && newBack > front && text[back - 1] === after(newBack - 1)) { back--; newBack-- }
  }
  let inserted = ''
  for (let at = front; at < newBack; at++) inserted += after(at)
  return `${front}:${back}:${inserted}`
}
