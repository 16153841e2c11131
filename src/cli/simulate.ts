// `spar simulate`: a whole cluster in virtual time, from one seed; or one seed after the other, until something breaks a rule.

import { createWriteStream } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { finished } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { simulate, type Simulated, type SimulateOptions } from '../../actors/simulation/simulate.ts'
import { openPlace } from '../../actors/simulation/place.ts'
import { drawRuns } from '../../actors/simulation/runs.ts'
import { systemClock } from '../clock.ts'
import { SparError } from '../errors.ts'
import { parseNumber, parseWhole } from '../run/options.ts'
import { defaultFaults, drawFaults, faultsOf, noFaults, parseFaults, without as leftOut, type Chance, type FaultPlan, type Rate } from '../simulation/faults.ts'
import { shrink } from '../simulation/shrink.ts'
import type { TraceLine } from '../simulation/trace.ts'
import { exitNo, type Io } from './command.ts'
import { jobsMax, playApart, playHere } from './simulate-seeds.ts'
import { renderTable } from './table.ts'
import { neutralJson } from './terminal.ts'

const usage = `Usage: spar simulate [options]

Plays a run on a cluster of simulated machines: the machines, actors, records and rewards are the real ones; clock, network, bus server,
sandboxes, policies and trainer are simulated, and fail. The same seed of the same version gives the same trace, to the byte. Checkers
look whether the ledger balances, nothing is lost, done twice or scored by a fault, and everything ends.

  --seed n                 the first seed; default: a fresh one, which is printed
  --seeds n                so many seeds, one after the other; --minutes m  as many as there is time for
  --jobs n                 processes that play them; default: as many as the machine runs at a time, one for a single seed
  --nodes 5                --episodes 1000   (5 with --seeds or --minutes), of all runs together
  --runs n                 at a time; default: drawn by the seed, up to 3
  --faults default|none|all|file.json    default: about half of all faults, drawn and scaled by the seed, none for every tenth; a file says chances, rates, shapes
  --without a,b            faults to leave out
  --trace file.jsonl       writes down all that happens: {ms, who, what, detail} on each line
  --no-shrink              does not look for the least that fails: the timeline is of the seed as it was played
  --json                   one object for each seed
Exit code 1: a rule was broken; the seed, and the least that still breaks it, are printed, and all that happened there is
written to out/simulate-<seed>.jsonl: spar inspect --trace shows it on a timeline.`

/** Each has documents, arenas and a place of the trainer. */
const runsMax = 100
/** Seeds are whole numbers below this. */
const seedMax = 2 ** 31
const manyEpisodes = 5
const oneEpisodes = 1000

export async function run (argv: string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: argv, options: {
    seed: { type: 'string' }, seeds: { type: 'string' }, minutes: { type: 'string' }, jobs: { type: 'string' }, nodes: { type: 'string' }, runs: { type: 'string' }, episodes: { type: 'string' }, faults: { type: 'string' }, without: { type: 'string' }, trace: { type: 'string' }, 'no-shrink': { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }
  } })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const startedAt = systemClock.now()
  const first = values.seed === undefined ? startedAt % seedMax : parseWhole('seed', values.seed, 0, seedMax - 1)
  const until = values.minutes === undefined ? null : startedAt + 60_000 * parseNumber('minutes', values.minutes, 0.01, 100_000)
  const seeds = values.seeds !== undefined ? parseWhole('seeds', values.seeds, 1, seedMax) : until === null ? 1 : seedMax
  const isOne = values.seeds === undefined && until === null
  if (!isOne && values.trace !== undefined) throw new SparError('OPTION_INVALID', 'Cannot write the trace of several seeds: name one with --seed')
  const nodes = parseWhole('nodes', values.nodes ?? (isOne ? '5' : '3'), 1, 1_000)
  const episodes = parseWhole('episodes', values.episodes ?? String(isOne ? oneEpisodes : manyEpisodes), 1, 1_000_000)
  const runs = values.runs === undefined ? null : parseWhole('runs', values.runs, 1, Math.min(episodes, runsMax))
  const planOf = await readPlan(values.faults ?? 'default', values.without)
  if (!isOne && values.json !== true) io.out(`Seeds from ${first}, ${nodes} nodes, ${episodes} episodes each`)
  const jobs = Math.min(seeds, values.jobs === undefined ? availableParallelism() : parseWhole('jobs', values.jobs, 1, jobsMax))
  const tell = (settled: number): void => { if (settled % Math.ceil(episodes / 10) === 0) io.err(`  ${settled} of ${episodes} episodes are settled`) }
  function * drawSeeds (): Generator<SimulateOptions> {
    for (let drawn = 0; drawn < seeds && (until === null || systemClock.now() < until); drawn++) {
      const seed = (first + drawn) % seedMax
      yield { seed, nodes, episodes, runs: runs ?? drawRuns(seed, episodes), plan: planOf(seed) }
    }
  }
  const playing = jobs > 1 ? playApart(drawSeeds(), jobs) : playHere(drawSeeds(), one => playOne({ ...one, ...isOne ? { onEpisode: tell } : {} }, values.trace ?? null))
  let played = 0
  let failed = 0
  for await (const { one, simulated } of playing) {
    played++
    if (values.json === true) io.out(neutralJson(simulated))
    else if (isOne) show(simulated, io)
    if (simulated.violations.length > 0) {
      failed++
      if (values.json !== true) await explain(one, simulated, { shrinks: values['no-shrink'] !== true, faults: values.faults, without: values.without, trace: values.trace }, io)
    }
    if (!isOne && values.json !== true && played % 100 === 0) io.out(`  ${played} seeds, ${failed} failed, ${((systemClock.now() - startedAt) / 1000).toFixed(0)} s`)
  }
  if (!isOne && values.json !== true) io.out(`${played} seeds from ${first}: ${failed === 0 ? 'every rule held' : `${failed} failed`}`)
  return failed === 0 ? 0 : exitNo
}

async function readPlan (faults: string, left: string | undefined): Promise<(seed: number) => FaultPlan> {
  const base = faults === 'none' ? noFaults : faults === 'default' || faults === 'all' ? defaultFaults : parseFaults(await readFile(faults, 'utf8').catch((error: unknown) => {
    throw new SparError('OPTION_INVALID', `Cannot use --faults "${faults}": it takes default, none, all or a file (${(error as Error).message})`)
  }), faults)
  const names = (left ?? '').split(',').filter(name => name !== '')
  const unknown = names.find(name => !faultsOf(defaultFaults).includes(name as Chance))
  if (unknown !== undefined) throw new SparError('OPTION_INVALID', `Cannot use --without "${unknown}": faults are ${faultsOf(defaultFaults).join(', ')}`)
  return seed => names.reduce((plan, name) => leftOut(plan, name as Chance | Rate), faults === 'default' ? drawFaults(seed) : base)
}

async function playOne (one: SimulateOptions, trace: string | null): Promise<Simulated> {
  if (trace === null) return await simulate(one, openPlace())
  const file = createWriteStream(trace)
  const written = finished(file).catch((error: unknown) => { throw new SparError('TRACE_UNWRITABLE', `Cannot write the trace ${trace}: ${(error as Error).message}`) })
  written.catch(() => {})
  try {
    return await simulate({ ...one, onLine: (line: TraceLine) => file.write(JSON.stringify(line) + '\n') }, openPlace())
  } finally {
    file.end()
    await written
  }
}

function show ({ seed, hash, lines, virtualMs, runs, episodes, counts, faults }: Simulated, io: Io): void {
  const ended = runs.length === 1 ? `the run is ${runs[0]!.state}` : runs.map(({ name, state }) => `${name} is ${state}`).join(', ')
  io.out(`seed ${seed}: ${ended}, ${episodes} episodes are settled after ${(virtualMs / 60_000).toFixed(1)} simulated minutes`)
  io.out(`  work: ${counts.works} dispatched = ${counts.settled} settled + ${counts.cancelled} cancelled + ${counts.quarantined} in quarantine; ${counts.samples} samples; ${counts.lives} processes`)
  const struck = Object.entries(faults).sort(([, one], [, other]) => other - one)
  if (struck.length > 0) io.out(renderTable(['fault', 'struck'], struck.map(([name, count]) => [name, String(count)])))
  io.out(`  ${lines} steps, trace ${hash}`)
}

interface Given { shrinks: boolean; faults: string | undefined; without: string | undefined; trace: string | undefined }

async function explain (one: SimulateOptions, { violations }: Simulated, { shrinks, faults, without, trace }: Given, io: Io): Promise<void> {
  const { seed } = one
  const [first] = violations
  io.out(`seed ${seed} breaks ${[...new Set(violations.map(({ rule }) => rule))].join(', ')}`)
  for (const { rule, what } of violations.slice(0, 5)) io.out(`  ${rule}: ${what}`)
  if (!shrinks) return await keepTimeline(one, trace, io)
  const all = faultsOf(one.plan)
  const least = await shrink(one, violations, { rule: first!.rule, play: async smaller => (await simulate({ ...smaller, seed }, openPlace())).violations })
  const gone = [...without === undefined ? [] : [without], ...all.filter(name => !least.left.includes(name))]
  io.out(`  the least that fails, of ${least.tries} tries: ${least.nodes} nodes, ${least.episodes} episodes${least.runs === 1 ? '' : ` in ${least.runs} runs`}, faults ${least.left.join(', ') || 'none'}`)
  for (const { rule, what } of least.violations.slice(0, 3)) io.out(`    ${rule}: ${what}`)
  io.out(`  spar simulate --seed ${seed} --nodes ${least.nodes} --episodes ${least.episodes} --runs ${least.runs}${faults === undefined ? '' : ` --faults ${faults}`}${gone.length === 0 ? '' : ` --without ${gone.join(',')}`} --trace trace.jsonl`)
  await keepTimeline({ seed, nodes: least.nodes, episodes: least.episodes, runs: least.runs, plan: least.plan }, undefined, io)
}

/** Of what failed, for whoever looks for the cause: it is played once more where its trace is not there already. */
async function keepTimeline (one: SimulateOptions, trace: string | undefined, io: Io): Promise<void> {
  const file = trace ?? join('out', `simulate-${one.seed}.jsonl`)
  if (trace === undefined) {
    await mkdir(dirname(file), { recursive: true })
    await playOne(one, file)
  }
  io.out(`  its timeline is in ${file}: spar inspect --trace ${file}`)
}
