// What a look at a run notes down: where something stored does not follow, and what had to be taken as it stands.

import { isDeepStrictEqual } from 'node:util'

type Kind = 'artifact' | 'verdict' | 'grade' | 'outcome' | 'sample' | 'summary'
export const kinds: readonly Kind[] = ['artifact', 'verdict', 'grade', 'outcome', 'sample', 'summary']

export interface Difference {
  kind: Kind
  /** Who says otherwise: what the run keeps, or a new run of the tests. */
  by: 'evidence' | 'rerun'
  /** A rollout or another piece of work, or a place in the folder. */
  work: string
  field: string
  stored: unknown
  /** Null where nothing follows, and nothing may be there. */
  recomputed: unknown
}

export interface Notes {
  differences: Difference[]
  /** How many things of each kind were looked at. */
  checked: Record<Kind, number>
  /** What was taken as given, and how often. */
  given: Record<string, number>
  count (kind: Kind): void
  take (what: string): void
  differ (difference: Difference): void
  /** Notes what is not the same in these fields; a field that is not there is null. */
  compare (about: Pick<Difference, 'kind' | 'by' | 'work'>, stored: object, recomputed: object, fields: readonly string[]): void
}

export function createNotes (): Notes {
  const notes: Notes = {
    differences: [],
    checked: { artifact: 0, verdict: 0, grade: 0, outcome: 0, sample: 0, summary: 0 },
    given: {},
    count: kind => { notes.checked[kind]++ },
    take: what => { notes.given[what] = (notes.given[what] ?? 0) + 1 },
    differ: difference => { notes.differences.push(difference) },
    compare (about, stored, recomputed, fields) {
      for (const field of fields) {
        const [one, other] = [fieldOf(stored, field), fieldOf(recomputed, field)]
        if (!isSame(one, other)) notes.differ({ ...about, field, stored: one, recomputed: other })
      }
    }
  }
  return notes
}

const fieldOf = (value: object, field: string): unknown => (value as Record<string, unknown>)[field] ?? null

/** A mean may be summed up in another order. */
const roundingMax = 1e-9

export const isSame = (one: unknown, other: unknown): boolean =>
  typeof one === 'number' && typeof other === 'number' ? Math.abs(one - other) <= roundingMax : isDeepStrictEqual(one, other)
