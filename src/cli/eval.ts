// `spar eval <tasks.jsonl>`: plays the solver on SWE-bench instances and says how many it resolves. The edge: options, ports,
// the folder of the evaluation, and the table.

import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { superviseSandboxes } from '../../actors/sandbox.ts'
import { evaluateAttempt, type EvaluationPorts } from '../../actors/work/evaluate.ts'
import { openArena } from '../arena/open.ts'
import { systemClock } from '../clock.ts'
import { SparError } from '../errors.ts'
import { createArenas, placeOf, type Places } from '../eval/arenas.ts'
import { readInstances, readPredictions, type EvalInstance } from '../eval/instances.ts'
import { imagePathDefault, openTestbed } from '../eval/testbed.ts'
import { openEval, summarise, writePredictions, type AttemptResult, type EvalStore, type EvalSummary } from '../eval/results.ts'
import { createLimiter } from '../limiter.ts'
import { createRandom } from '../random.ts'
import { budgetOf, readBudgets, resolveBudgets, type Budget } from '../run/budgets.ts'
import { parseWhole } from '../run/options.ts'
import { policyDefaults, type PolicyOptions } from '../run/policy-options.ts'
import { createSandboxes } from '../sandbox/index.ts'
import { writeJson, writeLarge } from '../store/files.ts'
import { createReadLog } from '../workers/logs.ts'
import { createPool } from '../workers/pool.ts'
import { exitInterrupted, exitUndecided, shownPath, sparHome, type Io } from './command.ts'
import { onlyArgument, parseWord, sandboxesFor, sandboxOptionTypes, sandboxUsage } from './parse.ts'
import { createPolicies } from './policies.ts'
import { readPolicy } from './policy-values.ts'
import { renderTable } from './table.ts'
import { neutral, neutralJson } from './terminal.ts'

const usage = `Usage: spar eval <tasks.jsonl> [options]

Tasks: SWE-bench instances, one a line; those of spar export --format swebench as well.

  --solver openai=<url>|vllm=<url>|sglang=<url>|procedural   who plays (default: procedural, which needs tasks of spar export)
  --model name  --policy-version name  --temperature 1  --top-p 1  --max-tokens 8192  --tools auto|native|text  --format-errors answer|end  --prompts dir
  --predictions f   grades the patches of a predictions file instead; gold: the instances' own
  --arena target    the repository of every instance; or
  --repo-dir dir    clones by the names in repo: owner__name, owner/name or name; else the image that an instance names
  --image-path /testbed   where such images have the repository     --images no   does without them
  --attempts 1      on every instance       --seed 1
  --max-turns 128   turns of an attempt     --max-context 131072  its tokens     --max-seconds 1800  of its commands together
  ${sandboxUsage}
  --setup "cmd"     --jobs n
  --out dir         default: out/eval-<tasks>      --resume  goes on there; attempts that ended as an error are made again
  --json            one object on the last line

Exit code: 0 every attempt has a verdict, 2 some ended as an error.`

const text = { type: 'string' } as const
const optionTypes = {
  solver: text, model: text, 'policy-version': text, temperature: text, 'top-p': text, 'max-tokens': text, tools: text, 'format-errors': text, prompts: text, 'logprobs-mode': text, predictions: text, arena: text, 'repo-dir': text, 'image-path': text, images: text,
  attempts: text, seed: text, 'max-turns': text, 'max-context': text, 'max-seconds': text, ...sandboxOptionTypes, setup: text, jobs: text, out: text,
  resume: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }
} as const
type Values = { [Name in keyof typeof optionTypes]?: (typeof optionTypes)[Name]['type'] extends 'boolean' ? boolean | undefined : string | undefined }

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options: optionTypes, allowPositionals: true })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const tasksFile = onlyArgument(positionals, 'a file of tasks', usage)
  const tasks = readText(tasksFile)
  const instances = readInstances(tasks, tasksFile)
  const predictions = readPredicted(values.predictions, instances)
  const options = { ...policyDefaults, ...readPolicy(values) }
  if (options.solver === 'procedural' && predictions === null && instances.some(({ own }) => own === null)) {
    throw new SparError('OPTION_INVALID', 'Cannot play these tasks with the procedural solver: it repairs what tests show and reads no issue. Name a model with --solver and --model')
  }
  const attempts = parseWhole('attempts', values.attempts ?? '1', 1, predictions === null ? 1000 : 1)
  const seed = parseWhole('seed', values.seed ?? '1', 0, 2 ** 31 - 1)
  const budgets = { seed, ...budgetOf(resolveBudgets({}, readBudgets(values)), 'solver') }
  const imagePath = readImagePath(values)
  const jobs = parseWhole('jobs', values.jobs ?? String(availableParallelism()), 1, 1024)
  const solverName = predictions === null ? options.solver : `predictions ${values.predictions}`
  const model = predictions === null ? options.model ?? 'procedural-solver' : values.predictions === 'gold' ? 'gold' : basename(values.predictions!)
  // Opened once the servers were asked: a wrong name of a model leaves no folder that has to be gone on with.
  const openStore = (): EvalStore => openEval(resolve(values.out ?? join('out', `eval-${basename(tasksFile).replace(/\.jsonl?$/, '')}`)), {
    schema_version: 1, tasks_sha256: createHash('sha256').update(tasks).digest('hex'), solver: solverName, model, attempts, seed, options: { ...options, ...budgets, arena: values.arena ?? null, repoDir: values['repo-dir'] ?? null, imagePath, setup: values.setup ?? null }
  }, values.resume === true)
  const edge = { values, imagePath, options, openStore, instances, predictions, attempts, budgets, jobs }
  const { store, results, interrupted } = await evaluate(edge, io)
  if (interrupted) {
    io.err(`Interrupted. Go on with the same options and --resume --out ${shownPath(store.dir)}`)
    return exitInterrupted
  }
  const summary = summarise(store.dir, model, attempts, instances.map(({ id }) => ({ id, results: results.filter(result => result.instance === id) })))
  writePredictions(store, model, attempts, results)
  writeJson(store.path('results.json'), summary)
  io.out(values.json ? neutralJson(summary) : neutral(tableOf(summary)))
  return summary.error > 0 ? exitUndecided : 0
}

interface Evaluation {
  values: Values
  imagePath: string | null
  options: PolicyOptions
  openStore: () => EvalStore
  instances: EvalInstance[]
  predictions: Map<string, string> | null
  attempts: number
  budgets: Budget & { seed: number }
  jobs: number
}

async function evaluate ({ values, imagePath, options, openStore, instances, predictions, attempts, budgets, jobs }: Evaluation, io: Io): Promise<{ store: EvalStore; results: AttemptResult[]; interrupted: boolean }> {
  const home = sparHome()
  const sandboxes = superviseSandboxes(await createSandboxes({ ...sandboxesFor(values, firstTarget(instances, { arena: values.arena ?? null, repoDir: values['repo-dir'] ?? null, imagePath })), home }))
  const workers = createPool()
  const stop = new AbortController()
  // All attempts listen to it, and those that wait for a slot.
  setMaxListeners(0, stop.signal)
  const interrupt = (): void => { stop.abort() }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  let close = async (): Promise<void> => {}
  let opened: EvalStore | null = null
  try {
    await sandboxes.reap()
    const policies = await createPolicies({ ...predictions === null ? options : policyDefaults, commandsMsMax: { breaker: budgets.commandsMsMax, solver: budgets.commandsMsMax } }, { workers, home, clock: systemClock, random: createRandom(budgets.seed).fork('servers'), onLine: line => io.err(neutral(line)) })
    close = policies.close
    const store = opened = openStore()
    const open = createArenas({ arena: values.arena ?? null, repoDir: values['repo-dir'] ?? null, imagePath }, {
      arena: async target => await openArena({
        target, home, sandboxKind: sandboxes.kind, onProgress: line => io.err(neutral(line)), ...values.setup === undefined || target.startsWith('docker:') ? {} : { setup: values.setup }
      }, { sandboxes, clock: systemClock }),
      image: async (name, path) => await openTestbed(name, path, sandboxes)
    })
    const keep: EvaluationPorts['keep'] = async (id, record, transcript) => {
      await writeLarge(store.path('trajectories', `${id}.msgpack`), record)
      await writeLarge(store.path('transcripts', `${id}.md`), transcript)
    }
    const ports: EvaluationPorts = { sandboxes, clock: systemClock, verify: { sandboxes, cores: createLimiter(availableParallelism()), readLog: createReadLog(workers) }, solver: policies.solver, keep }
    const slots = createLimiter(jobs)
    const wanted = instances.flatMap(instance => Array.from({ length: attempts }, (_, at) => ({ instance, attempt: at + 1 })))
    const results = await Promise.all(wanted.map(async ({ instance, attempt }) => {
      const known = store.result(instance.id, attempt)
      if (known !== null && known.outcome !== 'error') return known
      const predicted = predictions === null ? null : predictions.get(instance.id) ?? ''
      const result = await slots.run(async () => await evaluateAttempt({ instance, attempt, open, predicted }, budgets, ports, stop.signal), stop.signal)
      store.keep(result)
      io.err(neutral(`  ${result.outcome.padEnd(10)}  ${instance.id}${attempts > 1 ? ` (${attempt})` : ''}  ${result.reason.slice(0, 160)}`))
      return result
    }))
    return { store, results, interrupted: false }
  } catch (error) {
    if (!stop.signal.aborted || opened === null) throw error
    return { store: opened, results: [], interrupted: true }
  } finally {
    stop.abort()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    await Promise.allSettled([sandboxes.close(), workers.close(), close()])
  }
}

/** Where images have the repository; null: they are not used. A process cannot be in one. */
function readImagePath ({ images, sandbox, 'image-path': path }: Values): string | null {
  if (path !== undefined && (!path.startsWith('/') || path.includes('#') || path.split('/').includes('..'))) throw new SparError('OPTION_INVALID', `Cannot use --image-path "${path}": it takes an absolute path`)
  return parseWord('images', images ?? 'yes', ['yes', 'no'] as const) === 'no' || sandbox === 'process' ? null : path ?? imagePathDefault
}

/** One target that says which sandboxes are needed: an image, where any instance is played in one. */
function firstTarget (instances: readonly EvalInstance[], places: Places): string {
  return instances.map(instance => {
    try { return placeOf(instance, places).target } catch { return '' }
  }).find(target => target.startsWith('docker:')) ?? places.arena ?? ''
}

/** Patches by instance; an instance without one has an empty patch. */
function readPredicted (file: string | undefined, instances: readonly EvalInstance[]): Map<string, string> | null {
  if (file === undefined) return null
  if (file === 'gold') return new Map(instances.map(({ id, gold }) => [id, gold ?? '']))
  return new Map(readPredictions(readText(file), file).map(({ instanceId, patch }) => [instanceId, patch]))
}

function readText (file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new SparError('EVAL_TASKS_INVALID', `Cannot read ${file}: ${(error as Error).message}`)
  }
}

function tableOf ({ instances, resolved, unresolved, invalid, empty, error, labelled, resolvedShare, out }: EvalSummary): string {
  const rows = instances.map(({ instance_id: id, attempts }) => {
    const scored = attempts.filter(({ outcome }) => outcome !== 'error')
    const last = attempts.find(({ outcome }) => outcome === 'resolved') ?? attempts[0]!
    return [id, `${scored.filter(({ outcome }) => outcome === 'resolved').length}/${scored.length}`, last.outcome, last.reason.replace(/\s+/g, ' ').slice(0, 90)]
  })
  const share = resolvedShare === null ? 'nothing has a verdict' : `${(100 * resolvedShare).toFixed(1)} % resolved`
  const labels = labelled === 0 ? '' : `\n${labelled} have labels: what looks like cheating, or where the original could be read (findings in results.json; docs/trust.md)`
  return `${renderTable(['instance', 'resolved', 'ending', 'reason'], rows)}\n\n${share}: ${resolved} resolved, ${unresolved} unresolved, ${invalid} invalid, ${empty} empty; ${error} ended as an error and count for nothing.${labels}\nKept in ${shownPath(out)} (predictions.jsonl, results.json, transcripts, trajectories)`
}
