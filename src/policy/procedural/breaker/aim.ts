// Aiming: one policy plays both roles, so a breaker knows what a solver can do. It earns most when about a quarter of the
// attempts repair its bug, and nothing when none does (src/rewards). So most of what it draws is checked against the
// solver's own generator of candidates: would a solver that looks at this very place write the original again?
// The rest is drawn blindly, so that bugs nobody can repair yet stay in the mix.

import type { Random } from '../../../ports.ts'
import { createRandom } from '../../../random.ts'
import type { Workers } from '../../../workers/pool.ts'
import { drawCandidates } from '../solver/choose.ts'
import { applyEdits } from './patch.ts'
import type { Change } from './probe.ts'

const limits = {
  /** Share of the changes that is aimed. */
  share: 0.85,
  /** Changes that are looked at for one that is aimed. */
  looked: 24,
  /** Of changes that are all known beforehand: how many are looked at, and how many are enough. */
  lookedAmong: 30,
  foundAmong: 4,
  /** Lines to either side of the change that the imagined solver suspects. */
  reach: 4,
  /** Candidates that it makes there, and how many of them it comes to try. */
  candidates: 150,
  tried: 16
}

export interface Aim {
  /** Draws until a change can be repaired; when none can, one of those drawn. null: nothing is left. */
  choose (draw: () => Change | null): Promise<Change | null>
  /** A few changes that can be repaired, in random order; none when this bug is not aimed. */
  among<Some extends Change> (changes: readonly Some[]): Promise<Some[]>
}

export function createAim (workers: Pick<Workers, 'run'>, texts: ReadonlyMap<string, string>, random: Random): Aim {
  const known = new Map<string, boolean>()
  /** What was looked at and left: it comes back when nothing new is drawn. */
  const waiting: Change[] = []
  const isRepairable = async (change: Change): Promise<boolean> => {
    const key = `${change.path} ${JSON.stringify(change.edits)}`
    if (!known.has(key)) known.set(key, await mayBeRepaired(workers, texts, change, random.int(2 ** 31)))
    return known.get(key)!
  }
  return {
    async choose (draw) {
      const next = (): Change | null => draw() ?? waiting.shift() ?? null
      let change = next()
      if (random.next() >= limits.share) return change
      for (let looked = 1; change !== null && looked < limits.looked && !await isRepairable(change); looked++) {
        waiting.push(change)
        change = next()
      }
      return change
    },
    async among (changes) {
      if (random.next() >= limits.share) return []
      const found: typeof changes[number][] = []
      for (const change of random.shuffle(changes).slice(0, limits.lookedAmong)) {
        if (found.length < limits.foundAmong && await isRepairable(change)) found.push(change)
      }
      return found
    }
  }
}

async function mayBeRepaired (workers: Pick<Workers, 'run'>, texts: ReadonlyMap<string, string>, { path, edits }: Change, seed: number): Promise<boolean> {
  const original = texts.get(path)!
  const [edit] = edits
  if (edit === undefined || edits.length !== 1) return false
  const text = applyEdits(original, edits)
  const corpus = [...texts].filter(([other]) => other !== path).map(([other, source]) => ({ path: other, text: source }))
  const { candidates } = await workers.run('repairs', { path, text, suspicion: around(text, edit.start, edit.start + edit.text.length), corpus, hints: [], seed, limit: limits.candidates })
  const wanted = dense(original)
  return drawCandidates([{ path, score: 1, candidates }], createRandom(seed)).slice(0, limits.tried)
    .some(({ mutant }) => dense(applyEdits(text, [mutant.edit])) === wanted)
}

function around (text: string, start: number, end: number): Record<number, number> {
  const lineAt = (offset: number): number => text.slice(0, offset).split('\n').length
  const suspicion: Record<number, number> = {}
  for (let line = Math.max(1, lineAt(start) - limits.reach); line <= lineAt(end) + limits.reach; line++) suspicion[line] = 1
  return suspicion
}

/** Layout does not matter. */
const dense = (text: string): string => text.replace(/[\s;]+/g, '')
