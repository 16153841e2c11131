// One attempt, from the first turn to the submission: prepare, then rounds of localise, generate and validate, each of
// which keeps at most one change. Budgets are test runs and turns. What does not fit: an attempt that fixes nothing still
// submits a candidate that loads, since a failed attempt is the stuff of second-order bugs.

import type { TestMap } from '../../../domain.ts'
import type { Random } from '../../../ports.ts'
import { createRandom } from '../../../random.ts'
import type { Workers } from '../../../workers/pool.ts'
import { act, type Play } from '../session.ts'
import { toolTree } from '../tree.ts'
import { drawCandidates, type Candidate } from './choose.ts'
import { focus } from './focus.ts'
import { forkCommand } from './forking.ts'
import { hintsOf, missingNames, readFrames } from './failures.ts'
import type { SolverLimits } from './limits.ts'
import { rankFiles, type CodeFile, type Suspect } from './localise.ts'
import { failingOf, inScratch, prepare, restoreCommand, resultsOf, runScript, save, scripts, type Bench, type SolverTask } from './prepare.ts'
import { probeOf, type Probe } from './probe.ts'
import type { Spectrum } from './spectrum.ts'
import { trace } from './trace.ts'
import { threadCommand } from './threading.ts'
import { applyEdit, baseCommand, batchCommand, readTrials, type Trial } from './trials.ts'

export interface SolverDependencies { workers: Pick<Workers, 'run'>; limits: SolverLimits }

/** What an attempt carries from round to round. */
interface Attempt {
  bench: Bench
  limits: SolverLimits
  workers: Pick<Workers, 'run'>
  random: Random
  /** Test runs left for candidates. */
  runsLeft: number
  /** Results of the restored test files with what is kept, and the log that goes with them. */
  results: TestMap
  log: string
  /** The failing test file that candidates are tried on, how it is run, and how much of it passes. */
  probe: Probe & { file: string; best: number }
  kept: Candidate[]
  /** Results of test files outside of the oracle patch with what is kept; null until they are asked for. */
  elsewhere: TestMap | null
  tried: Set<string>
  /** Harmless candidates that fixed nothing, in the order of trial. */
  plausible: Candidate[]
}

/** Turns that a round and winding up take, at most. */
const turnsReserved = 12

export async function * solve (task: SolverTask, { workers, limits }: SolverDependencies): Play {
  const bench = yield * prepare(toolTree(task), task, limits)
  if (typeof bench === 'string') return bench
  const random = createRandom(task.seed)
  const runsLeft = Math.max(1, Math.round(limits.candidatesMax * (0.5 + random.fork('budget').next())))
  const { results, log } = bench
  const attempt: Attempt = { bench, limits, workers, random, runsLeft, results, log, probe: noProbe, kept: [], elsewhere: null, tried: new Set(), plausible: [] }
  while (attempt.kept.length < limits.keptMax && attempt.runsLeft > 0 && !allPass(attempt.results)) {
    if (!(yield * round(attempt))) break
  }
  return yield * windUp(attempt)
}

const allPass = (results: TestMap): boolean => Object.keys(results).length > 0 && Object.values(results).every(status => status === 'passed')
const passing = (results: TestMap): number => Object.values(results).filter(status => status === 'passed').length

const noProbe: Attempt['probe'] = { file: '', script: '', counting: 'map', shares: null, options: '', best: 0 }

/** Localises, generates, and tries until a candidate is kept or the budget is spent. True when one was kept. */
async function * round (attempt: Attempt): Play<boolean> {
  const { bench, limits, random, kept } = attempt
  const failing = random.fork(`probe ${kept.length}`).shuffle(failingOf(attempt.results, bench.testFiles)).slice(0, limits.tracedFailingMax)
  const passing = random.fork('passing').shuffle(bench.otherTests).slice(0, limits.tracedPassingMax)
  yield * setProbe(attempt, failing[0]!)
  const suspects = yield * localise(attempt, failing, yield * trace(bench, failing, passing))
  const queue = yield * generate(attempt, suspects)
  while (attempt.runsLeft > 0 && queue.length > 0) {
    const batch = queue.splice(0, Math.min(limits.batch, attempt.runsLeft))
    const { turnsLeft, winner } = yield * tryBatch(attempt, batch, queue)
    if (winner !== null) return true
    if (turnsLeft < turnsReserved) attempt.runsLeft = 0
  }
  return false
}

async function * setProbe (attempt: Attempt, file: string): Play<void> {
  const { tree, runner } = attempt.bench
  const probe = probeOf(runner, [file])
  const seen = yield * tree.run(`I work on ${file}.`, save(tree, scripts.probe, probe.script) + '; ' +
    (probe.counting === 'tap' ? baseCommand(inScratch(tree, scripts.library), inScratch(tree, scripts.probe), probe.counting) : ''))
  const best = probe.counting === 'tap' ? readTrials(seen.text)[0]?.passed : undefined
  attempt.probe = { ...probe, file, best: best ?? passing(resultsOf(attempt.results, [file])) }
}

async function * localise (attempt: Attempt, failing: readonly string[], spectrum: Spectrum): Play<Suspect[]> {
  const { bench, workers, limits, random, kept } = attempt
  const frames = readFrames(attempt.log, bench.tree.task.tree, bench.codeFiles)
  const paths = [...new Set([...spectrum.lines.keys(), ...frames.map(frame => frame.path)])].filter(path => bench.codeFiles.includes(path)).sort()
  const texts = yield * bench.tree.read(paths, 'I read the code that the failing tests reach.')
  const files: CodeFile[] = []
  for (const [path, text] of texts) {
    if (text === null || text.length > limits.sourceBytesMax) continue
    const index = await workers.run('index', { path, text })
    files.push({ path, text, units: index?.units ?? [] })
  }
  const tests = yield * failingTexts(attempt, failing)
  const evidence = { spectrum, frames, missing: new Set(missingNames(attempt.log)), mentioned: new Set(hintsOf(tests, 400)) }
  return focus(rankFiles(files, evidence, limits), random.fork(`focus ${kept.length}`), limits)
}

/** What the oracle patch puts back is, for the most part, the failing tests. */
async function * failingTexts ({ bench }: Attempt, files: readonly string[]): Play<string[]> {
  const restored = bench.oracle.filter(file => files.includes(file.path)).map(file => file.added.join('\n'))
  if (restored.some(text => text !== '')) return restored
  return [...(yield * bench.tree.read(files)).values()].map(text => text ?? '')
}

async function * generate (attempt: Attempt, suspects: readonly Suspect[]): Play<Candidate[]> {
  const { bench, workers, limits, random, kept } = attempt
  const hints = hintsOf([...yield * failingTexts(attempt, [attempt.probe.file]), attempt.log.slice(-8000)], 120)
  const files = []
  for (const { path, score, suspicion } of suspects) {
    const text = (yield * bench.tree.read([path])).get(path) ?? ''
    const corpus = yield * corpusOf(attempt, path)
    const { candidates } = await workers.run('repairs', { path, text, suspicion, corpus, hints, seed: random.fork('repairs').int(2 ** 31), limit: limits.repairsPerFile })
    files.push({ path, score, candidates })
  }
  return drawCandidates(files, random.fork(`candidates ${kept.length}`)).filter(candidate => !attempt.tried.has(keyOf(candidate)))
}

const keyOf = ({ path, mutant: { edit } }: Candidate): string => `${path}\0${edit.start}\0${edit.end}\0${edit.text}`

/** Other sources of the repository, those of the same folder first. */
async function * corpusOf ({ bench, limits }: Attempt, path: string): Play<{ path: string; text: string }[]> {
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const others = bench.codeFiles.filter(other => other !== path)
  const near = [...others.filter(other => other.startsWith(folder)), ...others.filter(other => !other.startsWith(folder))].slice(0, limits.corpusFilesMax)
  const texts = yield * bench.tree.read(near, 'I read other code of the repository, to borrow from.')
  let left = limits.corpusBytesMax
  return [...texts].flatMap(([other, text]) => {
    if (text === null || text.length > left) return []
    left -= text.length
    return [{ path: other, text }]
  })
}

interface BatchEnd { turnsLeft: number; winner: Candidate | null }

/** Tries candidates in one command; what was not reached goes back to the front of the queue. */
async function * tryBatch (attempt: Attempt, batch: Candidate[], queue: Candidate[]): Play<BatchEnd> {
  const { bench, probe } = attempt
  const texts = yield * bench.tree.read(batch.map(candidate => candidate.path))
  const trials = batch.map(({ path, mutant }, index) => ({ index, path, text: texts.get(path) ?? '', edit: mutant.edit }))
  const seen = yield * bench.tree.run(`I try ${batch.length} changes: ${describe(batch)}.`, trialCommand(attempt, trials))
  const results = readTrials(seen.text)
  if (results.length === 0 && probe.shares !== null) {
    // One process could not be shared here: the same candidates are tried one by one.
    attempt.probe = { ...probe, shares: null }
    return yield * tryBatch(attempt, batch, queue)
  }
  attempt.runsLeft -= Math.max(1, results.length)
  for (const { index, passed, won } of results) {
    attempt.tried.add(keyOf(batch[index]!))
    if (!won && passed === probe.best && passed > 0) attempt.plausible.push(batch[index]!)
  }
  const won = results.find(result => result.won)
  if (won === undefined) {
    if (results.length < batch.length) yield * putBack(attempt, batch)
    return { turnsLeft: seen.turnsLeft, winner: null }
  }
  queue.unshift(...batch.slice(won.index + 1))
  return { turnsLeft: seen.turnsLeft, winner: yield * judge(attempt, batch[won.index]!) }
}

function trialCommand ({ bench: { tree, runner, deadlines }, probe }: Attempt, trials: readonly Trial[]): string {
  const script = inScratch(tree, scripts.probe)
  if (probe.shares === null) return batchCommand(inScratch(tree, scripts.library), script, probe.counting, probe.best, trials)
  if (probe.shares === 'threads') return threadCommand(tree.task.scratch, [probe.file], probe.options, deadlines, probe.best, trials)
  return forkCommand({ scratch: tree.task.scratch, parser: inScratch(tree, runner.parser.name), script, ...deadlines }, probe.best, trials)
}

function describe (batch: readonly Candidate[]): string {
  const first = batch.slice(0, 4).map(({ path, mutant }) => `${mutant.operator} at ${path}:${mutant.line}`)
  return first.join(', ') + (batch.length > 4 ? ' and others' : '')
}

/** A command that was cut may have left a candidate in place: the files are written back as they were. */
async function * putBack ({ bench }: Attempt, batch: readonly Candidate[]): Play<void> {
  const texts = yield * bench.tree.read(batch.map(candidate => candidate.path))
  for (const [path, text] of texts) if (text !== null) yield * act('I put the file back.', { tool: 'create', path, content: text })
}

/** More of the probe passes: the change is kept unless it breaks a test, among those of the patch or, at last, elsewhere. */
async function * judge (attempt: Attempt, candidate: Candidate): Play<Candidate | null> {
  const { bench: { tree }, results } = attempt
  const before = (yield * tree.read([candidate.path])).get(candidate.path) ?? ''
  const after = yield * runScript(tree, scripts.all, 'It helps. I run all restored tests.')
  const helps = breaksNothing(results, after.results) && passing(after.results) > passing(results)
  const elsewhere = helps && allPass(after.results) ? yield * runOthers(attempt) : {}
  if (!helps || !allPassOrNone(elsewhere)) {
    yield * act('It breaks other tests, or helps none: I take it back.', { tool: 'create', path: candidate.path, content: before })
    // Tests that fail without the change as well are not its fault.
    if (!helps || !sameFailures(elsewhere, attempt.elsewhere ??= yield * runOthers(attempt))) return null
    yield * act('Those tests fail without it too: I put it in again.', { tool: 'create', path: candidate.path, content: applyEdit(before, candidate.mutant.edit) })
  }
  Object.assign(attempt, { results: after.results, log: after.log, elsewhere: null })
  attempt.kept.push(candidate)
  tree.forget([candidate.path])
  return candidate
}

const breaksNothing = (before: TestMap, after: TestMap): boolean =>
  Object.entries(before).every(([id, status]) => status === 'failed' || after[id] === 'passed')

const allPassOrNone = (results: TestMap): boolean => passing(results) === Object.keys(results).length

const sameFailures = (after: TestMap, before: TestMap): boolean =>
  Object.entries(after).every(([id, status]) => status === 'passed' || before[id] === 'failed')

/** Test files outside of the oracle patch, as many as are affordable. */
async function * runOthers ({ bench, limits, random }: Attempt): Play<TestMap> {
  const files = random.fork('broader').shuffle(bench.otherTests).slice(0, limits.broaderFilesMax)
  if (files.length === 0) return {}
  yield * bench.tree.run('I write a script for other tests.', save(bench.tree, scripts.broader, bench.runner.script(files)))
  return (yield * runScript(bench.tree, scripts.broader, 'I run other tests too.', 0)).results
}

async function * windUp (attempt: Attempt): Play {
  const { bench } = attempt
  const fallback = attempt.plausible[0]
  if (attempt.kept.length === 0 && fallback === undefined) return 'Nothing that I tried helps.'
  if (attempt.kept.length === 0 && fallback !== undefined) {
    const text = (yield * bench.tree.read([fallback.path])).get(fallback.path) ?? ''
    yield * bench.tree.write(fallback.path, applyEdit(text, fallback.mutant.edit), 'Nothing helped; I leave the most plausible change in place.')
  }
  yield * bench.tree.run('I take the test changes back, so that my diff holds code only.', restoreCommand(bench))
  yield * act('I submit my change.', { tool: 'submit', paths: null })
  return 'I have submitted.'
}
