// One run: a fresh sandbox with the original tree, patches on top, the script, and the parser over its log in a second
// sandbox. Everything that a model wrote happens in here.
//
// Only the script holds a core. The next trees are made ready while scripts run, a few ahead; logs are read while the
// next script runs.

import { createHash } from 'node:crypto'
import { runners } from '../arena/runners/index.ts'
import type { Arena } from '../domain.ts'
import type { ExecResult, Sandbox, SandboxFolders, SandboxSpec } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import { withWholeOutput } from '../sandbox/node-output.ts'
import { throwIfFull } from '../sandbox/room.ts'
import { createLimiter, type Limiter } from '../limiter.ts'
import type { VerifyLimits } from './limits.ts'
import { certainResults, compareReading, readerOf } from './opinion.ts'
import { runParser } from './parser.ts'
import { applyPatch, confirmed, throwIfAborted } from './tree.ts'
import type { NamedPatch, RunFault, Suite, TreeRun, VerifyPorts } from './types.ts'

export interface BenchOptions {
  arena: Arena
  suite: Suite
  /** For the labels of sandboxes. */
  run: string
  limits: VerifyLimits
  /** Asks every parser, also where it is one of ours and our reader knows as much; benchmarks want that. */
  asksEveryParser?: boolean
}

/** What runs of one suite need; `removals` are not waited for where they happen, but before the work counts as over. */
export interface Bench extends BenchOptions {
  /** The parser is the one that Spar has for the arena's runner, so that our reader knows its logs. */
  ownParser: boolean
  readLog: VerifyPorts['readLog']
  sandboxes: VerifyPorts['sandboxes']
  cores: Limiter
  /** Trees that are open at once, running or ready. */
  trees: Limiter
  parsers: Limiter
  removals: Promise<void>[]
}

export function createBench (options: BenchOptions, { sandboxes, cores, readLog }: Pick<VerifyPorts, 'sandboxes' | 'cores' | 'readLog'>): Bench {
  return { ...options, ownParser: isOwnParser(options), sandboxes, readLog, cores, trees: createLimiter(cores.slots + options.limits.treesAhead), parsers: createLimiter(cores.slots), removals: [] }
}

const remove = (bench: Bench, sandbox: Sandbox): void => { bench.removals.push(sandbox.destroy().catch(() => {})) }

export const openTree = async (bench: Bench, purpose: string, signal?: AbortSignal): Promise<Sandbox> => await openView(bench, 'tree', purpose, signal)

export const openView = async ({ sandboxes, arena, run }: Bench, view: SandboxSpec['view'], purpose: string, signal?: AbortSignal): Promise<Sandbox> =>
  await sandboxes.open({ arena, view, network: 'none', label: { run, purpose } }, signal)

export interface RunOptions {
  patches: readonly NamedPatch[]
  purpose: string
  signal?: AbortSignal
  /** An untouched tree that is open, or being opened. */
  sandbox?: Promise<Sandbox>
  /** Tries the parser on other logs too, where it is none of ours. */
  probes?: boolean
  /** Runs of the script, of which the last one counts; 1 if missing. */
  times?: number
  /** First touch to the tree, before any patch. */
  begin?: (sandbox: Sandbox) => Promise<void>
  /** The last one before the script. A run that it returns is this one's, since the tree is the same: the script does not run. */
  finish?: (sandbox: Sandbox) => Promise<TreeRun | null | void>
}

export async function runTree (bench: Bench, options: RunOptions): Promise<TreeRun> {
  const { sandbox: _, ...anew } = options
  const result = await confirmed(isAgain => bench.trees.run(async () => await runInTree(bench, isAgain ? anew : options), options.signal))
  if ('fault' in result) return result
  const run = summarise(result)
  // Of the clean tree the parser is always asked: what our reader says is held against it once for each suite.
  const known = !['clean', 'control'].includes(options.purpose) && bench.asksEveryParser !== true && bench.ownParser
  const reason = scriptFault(result, bench.limits)
  if (reason !== null) return { ...run, fault: { by: 'script', reason } }
  return { ...run, ...await bench.parsers.run(async () => await readLog(bench, result, { known, isProbed: options.probes === true && !bench.ownParser }, options.signal), options.signal) }
}

async function runInTree (bench: Bench, options: RunOptions): Promise<ExecResult | TreeRun> {
  const { patches, purpose, signal, begin, finish } = options
  const sandbox = await (options.sandbox ?? openTree(bench, purpose, signal))
  try {
    await begin?.(sandbox)
    for (const patch of patches) {
      const reason = await applyPatch(sandbox, patch, bench.limits, signal)
      if (reason !== null) return withoutRun({ by: 'patch', patch: patch.name, reason: `${patch.name} does not apply: ${reason}` })
    }
    const known = await finish?.(sandbox)
    if (known) return known
    for (let left = options.times ?? 1; left > 1; left--) {
      const result = await runScript(sandbox, bench, signal)
      if (scriptFault(result, bench.limits) !== null) return result
    }
    return await runScript(sandbox, bench, signal)
  } finally {
    remove(bench, sandbox)
  }
}

const command = 'bash test_script.sh'
/** End of the log that is kept where no test was found in it. */
const logKeptBytes = 2 ** 20

/** The script comes on standard input. */
export function scriptCommand (folders: SandboxFolders): string {
  const path = shellQuote(`${folders.scratch}/test_script.sh`)
  return withWholeOutput(`cat >|${path} && cd -- ${shellQuote(folders.tree)} && bash ${path} < /dev/null`, folders)
}

async function runScript (sandbox: Sandbox, { suite, limits, cores }: Bench, signal?: AbortSignal): Promise<ExecResult> {
  const result = await cores.run(async () => await sandbox.exec(scriptCommand(sandbox), {
    timeoutMs: limits.scriptMsMax,
    outputBytesMax: limits.scriptOutputBytesMax,
    stdin: suite.script,
    ...(signal ? { signal } : {})
  }), signal)
  throwIfAborted(result, signal)
  await throwIfFull(sandbox, result, signal)
  return result
}

const summarise = ({ exitCode, killed, durationMs, output, truncatedBytes }: ExecResult): TreeRun => ({
  command, exitCode, killed, durationMs, results: null, skipped: [], fault: null, opinion: null, logBytes: output.length + truncatedBytes, logSha256: createHash('sha256').update(output).digest('hex')
})

const isOwnParser = ({ arena, suite }: BenchOptions): boolean =>
  arena.runner !== 'custom' && Buffer.from(runners[arena.runner].parser.source).equals(suite.parser)

/** The script is the one that Spar has for the arena's runner, whatever files it names. */
export function isOwnScript ({ arena, suite }: Pick<BenchOptions, 'arena' | 'suite'>): boolean {
  if (arena.runner === 'custom') return false
  const script = Buffer.from(suite.script).toString('utf8')
  const files = [...(/^files=\(\n([^)]*)\)$/m.exec(script)?.[1] ?? '').matchAll(/^ {2}'(.*)'$/gm)].map(match => match[1]!)
  return [runners[arena.runner].script(files), runners[arena.runner].script(files, 'skipped')].includes(script)
}

type Read = Pick<TreeRun, 'results' | 'skipped' | 'fault' | 'opinion'>

async function readLog (bench: Bench, { output: log, exitCode }: ExecResult, { known, isProbed }: { known: boolean; isProbed: boolean }, signal?: AbortSignal): Promise<Read> {
  const runner = readerOf(bench.arena.runner)
  const reading = runner === null ? null : await bench.readLog(log, { runner, exitCode, form: bench.ownParser ? 'launcher' : 'auto' })
  const certain = known && reading !== null ? certainResults(reading) : null
  const skipped = [...reading?.tests ?? []].flatMap(([id, status]) => status === 'skipped' ? [id] : [])
  if (certain !== null) return { results: certain, skipped, fault: null, opinion: null }
  const parsed = await askParser(bench, log, isProbed, signal)
  return { ...parsed, skipped, opinion: parsed.results !== null && reading !== null ? compareReading(runner!, reading, parsed.results) : null }
}

async function askParser (bench: Bench, log: Uint8Array, isProbed: boolean, signal?: AbortSignal): Promise<Pick<Read, 'results' | 'fault'>> {
  const sandbox = await openView(bench, 'empty', 'parser', signal)
  try {
    const parsed = await runParser(sandbox, bench.suite, log, bench.limits, isProbed, signal)
    if (parsed.kind === 'map') return { results: parsed.results, fault: null }
    if (parsed.kind === 'fault') return { results: null, fault: { by: 'parser', reason: parsed.reason } }
    return { results: null, fault: { by: 'silence', reason: parsed.reason, log: Buffer.from(log.subarray(-logKeptBytes)).toString('utf8') } }
  } finally {
    remove(bench, sandbox)
  }
}

function scriptFault ({ killed, truncatedBytes }: ExecResult, limits: VerifyLimits): string | null {
  if (killed === 'timeout') return `the script does not end within ${limits.scriptMsMax} ms (scriptMsMax)`
  if (killed === 'output' || truncatedBytes > 0) return `the script prints more than ${limits.scriptOutputBytesMax} bytes (scriptOutputBytesMax)`
  if (killed === 'disk') return 'the script was killed at the disk limit'
  return killed === 'memory' ? 'the script was killed at the memory limit' : null
}

const withoutRun = (fault: RunFault): TreeRun => ({ command, exitCode: null, killed: null, durationMs: 0, logBytes: 0, logSha256: '', results: null, skipped: [], fault, opinion: null })
