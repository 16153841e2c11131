// `spar play <target>`: opens the target, plays a run on it, shows it live, ends with the table. The edge: here the
// options are read, the ports are made and everything is closed again.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { superviseSandboxes } from '../../actors/sandbox.ts'
import { startSystem } from '../../actors/system.ts'
import { openArena } from '../arena/open.ts'
import { systemClock } from '../clock.ts'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import { createRegistry, type Registry } from '../inspect/registry.ts'
import { measureWorkers } from '../metrics/node.ts'
import { measureSandboxes } from '../metrics/sandboxes.ts'
import type { Sandboxes } from '../ports.ts'
import { createRandom } from '../random.ts'
import { differingBudget, readBudgets, resolveBudgets, type GivenBudgets } from '../run/budgets.ts'
import { parseWhole, runDefaults, type RunOptions } from '../run/options.ts'
import { createSandboxes } from '../sandbox/index.ts'
import { writeJson } from '../store/files.ts'
import { holdFolder } from '../store/hold.ts'
import { createRunStore, openRunStore, type RunStore } from '../store/run.ts'
import { verifyPorts } from '../verify/ports.ts'
import { createPool, type Workers } from '../workers/pool.ts'
import { exitInterrupted, sparHome, type Io } from './command.ts'
import { inspectOptionTypes, inspectUsage, servePage, withInspectAt } from './inspect-options.ts'
import { countWork, processSource } from './inspect-sources.ts'
import { sandboxesFor, sandboxOptionTypes, sandboxUsage, type SandboxValues } from './parse.ts'
import { createPolicies, type Policies } from './policies.ts'
import { openPlayWatch, playNode, playWatchOptionTypes, playWatchUsage, type PlayWatch, type PlayWatchValues } from './play-watch.ts'
import { readOptions, runOptionTypes, type Given } from './run-options.ts'
import { renderSummary } from './summary.ts'
import { untilInterrupted } from './until-interrupted.ts'
import { version } from './version.ts'
import { neutralJson } from './terminal.ts'

const usage = `Usage: spar play <target> [options]

Targets: a git repository here, a git URL, npm:name@range, pypi:name@range, docker:image#/path

  --episodes 6             bugs to play             --strategy removal=1,history=1,direct=0
  --group 8                attempts on every bug    --seed 1
  --max-order 2            1: no second-order bugs  --alpha 0.8        of the breaker's reward
  --min-passing 10         tests that pass          --min-files 1..3   files that a bug changes
  --min-failing 1          tests that a bug breaks  --mode strict|group  inverse mutation
  --min-scored 4           attempts with a verdict that a solve rate needs
  ${sandboxUsage}
  --setup "cmd"            installs the target's dependencies instead of Spar
  --test "cmd"             runs the target's tests instead of what Spar finds
  --policy procedural|openai=<url>|vllm=<url>|sglang=<url>|replay=<run>   who plays; --breaker and --solver set one role
  --model name  --policy-version name  --temperature 1  --top-p 1  --max-tokens 8192  --tools auto|native|text  --format-errors answer|end
  --prompts dir            prompts in the place of ours       --logprobs-mode raw_logprobs|…  what the server says of its own
  --max-turns 128          turns of a rollout       --max-context 131072  its tokens
  --max-seconds 1800       of a model's commands together; each of the three for one role: --max-turns breaker=128,solver=64
  --jobs n                 pieces of work at a time (default: cores)
  --out dir                where the run is kept    --resume           go on with the run in --out
  --inspect[=host:port]    a page on which it is seen, at 127.0.0.1:8322; on a terminal it stays when the run is over
${inspectUsage}
${playWatchUsage}
  --json                   one object on the last line of standard output`

const optionTypes = {
  ...runOptionTypes, ...inspectOptionTypes, ...playWatchOptionTypes, ...sandboxOptionTypes, inspect: { type: 'string' },
  setup: { type: 'string' }, test: { type: 'string' }, jobs: { type: 'string' }, out: { type: 'string' },
  resume: { type: 'boolean' }, json: { type: 'boolean' }, quickstart: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }
} as const

/** What `npm run quickstart` plays: small, tested by node:test, its releases ship their tests. The options keep it short; so do processes. */
const quickstart: { target: string; sandbox: string; options: Given } = { target: 'npm:find-my-way@8.0.0 - 9.5.0', sandbox: 'process', options: { minFiles: { min: 1, max: 1 }, maxOrder: 1 } }

/** Time that work in flight has to finish after an interrupt. */
const drainMs = 2_000

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({ args: withInspectAt(argv), options: optionTypes, allowPositionals: true })
  if (values.help) {
    io.out(usage)
    return 0
  }
  if (positionals.length > 1) throw new SparError('OPTION_INVALID', `Cannot play "${positionals[1]}" too: one target at a time (quote a target with spaces)`)
  const target = positionals[0] ?? (values.quickstart ? quickstart.target : null)
  const given = { ...(values.quickstart ? quickstart.options : {}), ...readOptions(values) }
  const budgets = readBudgets(values)
  const jobs = values.jobs === undefined ? availableParallelism() : parseWhole('jobs', values.jobs, 1, 1024)
  const resumed = values.resume ? resumeStore(values.out, target, given, budgets) : null
  if (!resumed && target === null) throw new SparError('OPTION_MISSING', 'Cannot play without a target: spar play <target>, or --resume --out <dir>')

  // Before anything is made: an address that is taken ends the command.
  const watch = await openPlayWatch(values, io)
  try {
    return await open({ values, target, given, budgets, resumed, jobs, watch }, io)
  } finally { await watch.close() }
}

interface Wanted { values: PlayWatchValues & SandboxValues & { setup?: string | undefined; test?: string | undefined; out?: string | undefined; json?: boolean | undefined; quickstart?: boolean | undefined }; target: string | null; given: Given; budgets: GivenBudgets; resumed: RunStore | null; jobs: number; watch: PlayWatch }

async function open ({ values, target, given, budgets, resumed, jobs, watch }: Wanted, io: Io): Promise<number> {
  const home = sparHome()
  const { metrics, say } = watch
  const registry = watch.listening === null ? undefined : createRegistry({ node: playNode, clock: systemClock })
  const runtime = values.runtime ?? resumed?.file().runtime
  const asked = { ...values, ...(runtime === undefined ? {} : { runtime }) }
  const created = await createSandboxes({ ...sandboxesFor(values.quickstart && runtime === undefined ? { sandbox: quickstart.sandbox, ...values } : asked, target ?? resumed!.file().options.target), home })
  const supervised = superviseSandboxes(created, { registry })
  const sandboxes = metrics === undefined ? supervised : measureSandboxes(supervised, metrics, systemClock)
  const workers = createPool()
  if (metrics !== undefined) measureWorkers(metrics, workers)
  let policies: Policies | null = null
  try {
    await sandboxes.reap()
    const kept = resumed?.file().options
    const options: RunOptions = { ...runDefaults, ...(kept ?? { target: target!, ...given }), ...resolveBudgets(kept ?? {}, budgets), ...weightsOf(given) }
    policies = await createPolicies(options, { workers, home, clock: systemClock, random: createRandom(options.seed).fork('servers'), onLine: say })
    const arena = resumed?.file().arena ?? await openArena({
      target: target!, home, sandboxKind: sandboxes.kind, onProgress: say,
      ...(values.setup === undefined ? {} : { setup: values.setup }), ...(values.test === undefined ? {} : { test: values.test })
    }, { sandboxes, clock: systemClock })
    const store = resumed ?? newStore(values.out, arena, options, policies, runtime)
    return await playOn(store, arena, { options, sandboxes, workers, policies, jobs, json: values.json === true, registry, watch }, io)
  } finally {
    await Promise.allSettled([sandboxes.close(), workers.close(), policies?.close()])
  }
}

interface Edge { options: RunOptions; sandboxes: Sandboxes; workers: Workers; policies: Policies; jobs: number; json: boolean; /** Of the page; undefined: nobody looks. */ registry: Registry | undefined; watch: PlayWatch }

async function playOn (store: RunStore, arena: Arena, { options, sandboxes, workers, policies, jobs, json, registry, watch }: Edge, io: Io): Promise<number> {
  const verify = { ...verifyPorts(sandboxes, { workers }), metrics: watch.metrics }
  const work = countWork()
  const followed = watch.follow({ store, jobs, work })
  const ports = { clock: systemClock, sandboxes, verify, policies, watch: followed.watch, registry }
  // The page is there before the first actor is; what it does to the run comes later.
  const source = registry === undefined ? null : await processSource({ store, registry, playing: () => playing, policies, jobs, work })
  const gateway = source === null ? null : servePage(source, watch.listening!, io)
  const playing = startSystem({ store, arena, jobs, options, ports, onStep: followed.onStep, onQueue: event => { work.onQueue(event); followed.onQueue(event) } })
  let drained: Promise<void> | null = null
  const interrupt = (): void => {
    if (drained) process.exit(exitInterrupted)
    drained = playing.drain(drainMs)
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    const outcome = await playing.ended
    followed.ended(outcome)
    if (drained) {
      await drained
      io.err(`Interrupted. Go on with: spar play --resume --out ${store.dir}`)
      return exitInterrupted
    }
    if (outcome.kind === 'failed' || (outcome.kind === 'finished' && outcome.failed > 0)) {
      throw new SparError('RUN_INCOMPLETE', `Cannot finish the run ${store.run}: ${outcome.reason}. Once that is mended, go on with: spar play --resume --out ${store.dir}`, { retryable: true })
    }
    writeJson(store.path('workers.json'), workers.stats())
    const { text, summary } = renderSummary(store)
    if (json) io.out(neutralJson(summary))
    else io.out(text)
    if (gateway !== null && process.stderr.isTTY && !json) {
      process.off('SIGINT', interrupt)
      process.off('SIGTERM', interrupt)
      io.err(`The run is over. Its page stays at ${gateway.url} until you end it (ctrl-c).`)
      await untilInterrupted()
    }
    return 0
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    await gateway?.close()
    await source?.close()
  }
}

/** The one option that may be another one when a run goes on: weights are updated meanwhile. */
const weightsOf = ({ policyVersion }: Given): Given => policyVersion === undefined ? {} : { policyVersion }

/** Opens the run to go on with; what was given must not contradict what the run was started with. */
function resumeStore (out: string | undefined, target: string | null, given: Given, budgets: GivenBudgets): RunStore {
  if (out === undefined) throw new SparError('OPTION_MISSING', 'Cannot resume without --out: name the folder of the run')
  if (existsSync(out)) holdFolder(resolve(out))
  const store = openRunStore(resolve(out), { mend: true })
  const differs = (name: string, before: unknown): SparError =>
    new SparError('OPTION_DIFFERS', `Cannot resume ${store.dir} with another ${name}: it was started with ${JSON.stringify(before)}. Leave the option out, or start a new run.`)
  const kept = { ...runDefaults, ...store.file().options }
  for (const [name, value] of Object.entries({ ...given, ...weightsOf(kept), ...(target === null ? {} : { target }) })) {
    const before = kept[name as keyof RunOptions]
    if (JSON.stringify(before) !== JSON.stringify(value)) throw differs(name, before)
  }
  const budget = differingBudget(resolveBudgets(store.file().options), budgets)
  if (budget !== null) throw differs(budget.name, budget.before)
  return store
}

function newStore (out: string | undefined, arena: Arena, options: RunOptions, { breaker, solver }: Policies, runtime: string | undefined): RunStore {
  const dir = resolve(out ?? freeFolder(arena, options))
  holdFolder(dir)
  return createRunStore(dir, { spar: version(), node: process.version, options, arena, policies: { breaker: breaker.name, solver: solver.name }, ...(runtime === undefined ? {} : { runtime }) })
}

function freeFolder (arena: Arena, options: RunOptions): string {
  for (let number = 1; ; number++) {
    const dir = join('out', `${arena.name}-seed${options.seed}-${number}`)
    if (!existsSync(dir)) return dir
  }
}
