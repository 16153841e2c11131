// The search for a bug: changes are drawn and tried a few at a time, the ones that break tests but let the suite run are
// kept, and combinations of them are confirmed as verification will: all together, each file restored alone, twice.

import type { BugParams, Strategy } from '../../../domain.ts'
import type { Random } from '../../../ports.ts'
import type { Workers } from '../../../workers/pool.ts'
import type { Play } from '../session.ts'
import { runsPerCommand } from '../test-run.ts'
import type { ToolTree } from '../tree.ts'
import { createAim, type Aim } from './aim.ts'
import { assemble, keyOf } from './assemble.ts'
import { createPast, pastChanges, smallParts } from './history.ts'
import { concerned, filesWith, runTrials, trialOf, type Change, type Effect, type Probe, type Trial } from './probe.ts'
import { drawChange, loadCode, type CodeFile } from './sites.ts'
import type { Suite } from './suite.ts'

export interface BugDraft { changes: Change[]; trial: Trial; effect: Effect }

const limits = {
  rounds: 14,
  /** Past changes that are tried before removal may join in. */
  pastAlone: 12,
  /** Turns that stay for the weakening and the submit. */
  turnsKept: 20,
  tokensKept: 24_000
}

export interface SearchInput { tree: ToolTree; suite: Suite; workers: Workers; strategy: Strategy; params: BugParams; random: Random }

/** A string says why no bug was found. */
export async function * searchBug (input: SearchInput): Play<BugDraft | string> {
  const { tree, suite, params, random } = input
  const source = yield * openSource(input)
  if (typeof source === 'string') return source
  const probes: Probe[] = []
  const held: Probe[] = []
  const refused = new Set<string>()
  for (let round = 0; round < limits.rounds; round++) {
    const changes = await source.draw([...probes, ...held])
    if (changes.length === 0 && probes.length === 0 && held.length === 0) break
    const trials = changes.map(change => trialOf([change], source.texts, concerned(suite, change, source.texts.get(change.path)!)))
    const effects = yield * runTrials(tree, suite, sayTrials(changes), trials)
    // What waits for its parts waits for a round or two.
    if (round % 2 === 1 || changes.length === 0) probes.push(...held.splice(0))
    effects.forEach((effect, index) => {
      const waits = source.learn(changes[index]!, effect)
      if (effect.alive && effect.failing.length > 0) (waits ? held : probes).push({ change: changes[index]!, effect })
    })
    for (let tries = 0; tries < 2; tries++) {
      const mustHold = input.strategy === 'history' ? 'history' as const : null
      const chosen = assemble({ probes, params, clean: suite.clean, keepsFiles: ['jest', 'vitest'].includes(suite.runner.name), refused, mustHold, round: changes.length === 0 ? limits.rounds : round, random })
      if (chosen === null) break
      refused.add(keyOf(chosen))
      const draft = yield * confirm(input, chosen, source.texts)
      if (draft !== null) return draft
    }
    if (changes.length === 0) break
    if (tree.turnsLeft() < limits.turnsKept || tree.tokensLeft() < limits.tokensKept) break
  }
  return input.strategy === 'history' && !probes.some(({ change }) => change.origin === 'history')
    ? 'No past change that still applies breaks these tests, so there is no bug to make from the history.'
    : 'No combination of changes broke the tests in the way that is asked for.'
}

interface Source {
  texts: Map<string, string>
  /** The next changes to try; none when nothing is left. */
  draw (probes: readonly Probe[]): Promise<Change[]>
  /** True: the change is of use, but waits until its parts were tried. */
  learn (change: Change, effect: Effect): boolean
}

async function * openSource ({ tree, suite, workers, strategy, params, random }: SearchInput): Play<Source | string> {
  const kind = strategy === 'direct' ? 'direct' : 'removals'
  const files = yield * loadCode(tree, workers, random.shuffle(suite.codeFiles), suite.coverage, kind)
  if (files.length < params.minFiles) return `Of the covered code files only ${files.length} can be parsed; ${params.minFiles} are to be changed.`
  const texts = new Map(files.map(({ path, text }) => [path, text]))
  const wholes = strategy === 'history' ? yield * pastChanges(tree, workers, texts, suite.coverage, random.fork('history')) : []
  if (strategy === 'history' && wholes.length === 0) return 'The log holds no change of the covered code that still can be taken back.'
  const aim = createAim(workers, texts, random.fork('aim'))
  const past = createPast(wholes, await aim.among(smallParts(wholes)), random.fork('parts'))
  const seen = new Set<string>()
  const many = Math.min(runsPerCommand(suite.runner.ecosystem), params.minFiles + 2)
  let tried = 0
  return {
    texts,
    async draw (probes) {
      // Removal joins in when some past changes are of use, but those of one file after another broke nothing.
      const ofUse = probes.filter(({ change, effect }) => change.origin === 'history' && effect.failing.length < effect.passing.length)
      const isShort = strategy === 'history' && params.minFiles > 1 && ofUse.length > 0 && tried >= limits.pastAlone
      const taken = past.take(strategy !== 'history' ? 0 : isShort ? Math.floor(many / 2) : many)
      tried += taken.length
      const removal = strategy !== 'history' || isShort || (taken.length === 0 && ofUse.length > 0)
      return [...taken, ...removal ? await drawFrom(files, kind, many - taken.length, probes, random, seen, aim) : []]
    },
    learn (change, { alive, failing }) { return past.learn(change, alive, failing.length / Object.keys(suite.clean).length) }
  }
}

/** From files without a working probe first, so that several files come together soon. */
async function drawFrom (files: readonly CodeFile[], kind: 'removals' | 'direct', count: number, probes: readonly Probe[], random: Random, seen: Set<string>, aim: Aim): Promise<Change[]> {
  const usable = files.filter(({ mutants }) => mutants.length > 0)
  const fresh = random.shuffle(usable.filter(({ path }) => !probes.some(({ change }) => change.path === path)))
  const order = [...fresh, ...random.shuffle(usable)]
  const changes: Change[] = []
  for (let at = 0; at < order.length * 3 && changes.length < count; at++) {
    const change = await aim.choose(() => drawChange(order[at % order.length]!, kind, random, seen))
    if (change !== null) changes.push(change)
  }
  return changes
}

const sayTrials = (changes: readonly Change[]): string =>
  `${changes.some(({ origin }) => origin === 'history') && changes.some(({ origin }) => origin === 'removal') ? 'The history alone does not reach far enough, so I remove code as well. ' : ''}` +
  `I try ${changes.length} changes one by one, to see which tests notice: ${changes.map(({ path, what }) => `${what} (${path})`).join('; ')}.`

/** All together, once more, and with each file restored; null when verification would refuse it. */
async function * confirm ({ tree, suite, params }: SearchInput, probes: readonly Probe[], texts: ReadonlyMap<string, string>): Play<BugDraft | null> {
  const changes = probes.map(({ change }) => change)
  const whole = trialOf(changes, texts)
  // What only asks about the failing tests runs only their files.
  const noticing = (some: readonly Probe[]): string[] | null => filesWith(suite, some.flatMap(({ effect }) => effect.failing))
  const again = probes.length === 1 ? [] : [trialOf(changes, texts, noticing(probes))]
  const restored = whole.paths.length === 1 ? [] : whole.paths.map(path =>
    trialOf(changes.filter(change => change.path !== path), texts, noticing(probes.filter(({ change }) => change.path === path))))
  const effects = yield * runTrials(tree, suite, sayConfirm(whole.paths), [{ ...whole, wholeLog: true as const }, ...again, ...restored])
  const first = effects[0]!
  const before = probes.length === 1 ? probes[0]!.effect : effects[1]!
  if (!first.alive || first.failing.length < params.minFailing || !agrees(before, first)) return null
  const flips = effects.slice(1 + again.length).every(effect => effect.run.results !== null && first.failing.some(id => effect.run.results![id] === 'passed'))
  return flips ? { changes, trial: whole, effect: first } : null
}

const sayConfirm = (paths: readonly string[]): string => paths.length === 1
  ? `I run the bug in ${paths[0]!} again: the same tests must fail.`
  : `I run the bug in ${paths.join(', ')} twice, and with each of the files restored: every file must play its part.`

/** Every result of one run is the same in the other, which may hold more. */
function agrees ({ run: one }: Effect, { run: other }: Effect): boolean {
  return one.results !== null && Object.entries(one.results).every(([id, status]) => other.results?.[id] === status)
}
