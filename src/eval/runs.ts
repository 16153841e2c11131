// Runs the tests of an instance on a tree, in one of two ways: by the runner that Spar found for the arena, or, in the image that the
// instance names, by its own eval_script, whose log a reader of ours knows. Both say the same things of a run.

import { runners } from '../arena/runners/index.ts'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { ExecResult } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import { withWholeOutput } from '../sandbox/node-output.ts'
import type { VerifyLimits } from '../verify/limits.ts'
import { createBench, openView, runTree, type Bench } from '../verify/run.ts'
import { applyPatch, isStruck, throwIfAborted } from '../verify/tree.ts'
import type { NamedPatch, TreeRun, VerifyPorts } from '../verify/types.ts'
import type { LogStatus } from '../workers/testlog/index.ts'
import { lookUp, parserNamed, type LogParser } from './readers.ts'
import type { Observed } from './truth.ts'

export type EvalRun =
  | { kind: 'ran'; observed: Observed }
  /** Our side, or nobody's: a deadline, the memory. */
  | { kind: 'lost'; reason: string }
  /** It ended, and nothing can be told from its log. */
  | { kind: 'unreadable'; reason: string }
  | { kind: 'inapplicable'; patch: string; reason: string }

export type Ports = Pick<VerifyPorts, 'sandboxes' | 'cores' | 'readLog'>
export type RunWith = (patches: readonly NamedPatch[]) => Promise<EvalRun>

export interface Testing { runWith: RunWith; /** Waits for the sandboxes that were used. */ close (): Promise<void> }

/** By the runner of the arena: `testPatch` goes on last. */
export function testByRunner (arena: Arena, testFiles: readonly string[], testPatch: NamedPatch, limits: VerifyLimits, ports: Ports, signal?: AbortSignal): Testing {
  const { script, parser } = runners[arena.runner as keyof typeof runners]
  const suite = { script: Buffer.from(script(testFiles, 'skipped')), parser: Buffer.from(parser.source), parserName: parser.name }
  const bench = createBench({ arena, run: 'eval', suite, limits }, ports)
  return {
    runWith: async patches => ofTree(await runTree(bench, { patches: [...patches, testPatch], purpose: 'grade', ...signal ? { signal } : {} })),
    close: async () => { await Promise.all(bench.removals) }
  }
}

function ofTree ({ fault, killed, results, skipped, opinion, exitCode }: TreeRun): EvalRun {
  if (fault?.by === 'patch') return { kind: 'inapplicable', patch: fault.patch, reason: fault.reason }
  if (isStruck({ killed })) return { kind: 'lost', reason: fault?.reason ?? `killed: ${killed}` }
  if (fault !== null) return { kind: 'unreadable', reason: fault.reason }
  const contradicted = new Set(opinion?.contradicted)
  const statuses = new Map<string, LogStatus>([
    ...skipped.map((id): [string, LogStatus] => [id, 'skipped']),
    ...Object.entries(results!).map(([id, status]): [string, LogStatus] => [id, contradicted.has(id) ? 'failed' : status])
  ])
  return { kind: 'ran', observed: { statusOf: id => statuses.get(id) ?? null, statuses: [...statuses.values()], exitCode } }
}

/** By the instance's own script. It puts the tests' files back and applies its test_patch itself. Throws EVAL_UNKNOWN_PARSER. */
export function testByScript (id: string, arena: Arena, evalScript: string, logParser: string, limits: VerifyLimits, ports: Ports, signal?: AbortSignal): Testing {
  const parser = parserNamed(id, logParser)
  const bench = createBench({ arena, run: 'eval', suite: { script: Buffer.from(evalScript), parser: new Uint8Array(0), parserName: 'test_parser' }, limits }, ports)
  return {
    runWith: async patches => await runScript(bench, parser, patches, signal),
    close: async () => { await Promise.all(bench.removals) }
  }
}

async function runScript (bench: Bench, parser: LogParser, patches: readonly NamedPatch[], signal?: AbortSignal): Promise<EvalRun> {
  const { suite, limits, cores } = bench
  // With its history: the script checks files out of it.
  const sandbox = await openView(bench, 'history', 'grade', signal)
  try {
    for (const patch of patches) {
      const reason = await applyPatch(sandbox, patch, limits, signal)
      if (reason !== null) return { kind: 'inapplicable', patch: patch.name, reason: `${patch.name} does not apply: ${reason}` }
    }
    const path = `${sandbox.scratch}/eval.sh`
    await sandbox.writeFile(path, suite.script, 0o755)
    const result = await cores.run(async () => await sandbox.exec(withWholeOutput(`cd -- ${shellQuote(sandbox.tree)} && bash ${shellQuote(path)} < /dev/null`, sandbox), {
      timeoutMs: limits.scriptMsMax, outputBytesMax: limits.scriptOutputBytesMax, ...signal ? { signal } : {}
    }), signal)
    throwIfAborted(result, signal)
    return await readResult(bench, parser, result)
  } finally {
    bench.removals.push(sandbox.destroy().catch(() => {}))
  }
}

async function readResult ({ readLog, limits }: Bench, parser: LogParser, { killed, truncatedBytes, output }: ExecResult): Promise<EvalRun> {
  if (killed === 'timeout') return { kind: 'lost', reason: `the tests do not end within ${limits.scriptMsMax} ms (scriptMsMax)` }
  if (killed === 'memory') return { kind: 'lost', reason: 'the tests were killed at the memory limit' }
  if (killed === 'disk') return { kind: 'unreadable', reason: 'the tests were killed at the disk limit' }
  if (killed !== null || truncatedBytes > 0) return { kind: 'unreadable', reason: `the tests print more than ${limits.scriptOutputBytesMax} bytes (scriptOutputBytesMax)` }
  const log = Buffer.from(output)
  const { region, exitCode } = readMarkers(log)
  if (region === null) return { kind: 'unreadable', reason: 'the eval_script ended before its tests did' }
  const read = async (log: Uint8Array) => await readLog(log, { runner: parser.runner, form: 'own' })
  const inside = await read(region)
  // Some runners print outside of the markers.
  const reading = inside.tests.size > 0 ? inside : await read(log)
  return { kind: 'ran', observed: { statusOf: lookUp(reading, parser), statuses: [...reading.tests.values()], exitCode } }
}

const [startMarker, endMarker] = ['>>>>> Start Test Output', '>>>>> End Test Output']
const troubles = ['>>>>> Patch Apply Failed', '>>>>> Reset Failed', '>>>>> Tests Errored']

/** What stands between the markers, and the exit code behind them, undefined where the script does not say it. */
export function readMarkers (log: Buffer): { region: Buffer | null; exitCode: number | undefined } {
  const [start, end] = [log.indexOf(startMarker), log.indexOf(endMarker)]
  if (start === -1 || end < start || troubles.some(trouble => log.includes(trouble))) return { region: null, exitCode: undefined }
  const behind = log.toString('utf8', end)
  const code = />>>>> Test Exit Code:\s*(-?\d+)/.exec(behind)?.[1]
  const from = log.indexOf(10, start) + 1
  return { region: log.subarray(from > 0 && from < end ? from : start, end), exitCode: code === undefined ? undefined : Number(code) }
}

export const noSuite = (id: string, why: string): SparError => new SparError('EVAL_NO_SUITE', `Cannot evaluate ${id}: ${why}`)
