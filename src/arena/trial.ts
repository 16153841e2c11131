// The first run of a target's tests, in a sandbox without network: which files hold tests that pass, and do so again.
// Everything together first; when that does not end in time, file by file, so that one file which hangs costs itself only.

import type { Arena, TestMap } from '../domain.ts'
import type { Sandbox, Sandboxes } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import { withWholeOutput } from '../sandbox/node-output.ts'
import type { ArenaLimits } from './limits.ts'
import type { Runner } from './runners/types.ts'

export interface FileCount { path: string; passed: number; failed: number }

export interface Trial {
  /** Files whose tests all pass, twice the same. */
  files: FileCount[]
  /** Files that were left out, with the reason. */
  dropped: { path: string; reason: string }[]
  passed: number
  failed: number
  /** Tests that pass in the kept files. */
  passing: number
  /** End of the log, for an error message. */
  logTail: string
}

interface Run { results: TestMap; log: string; timedOut: boolean }

/** What a test script may take in an episode; a whole suite that takes longer is tried file by file. */
const togetherMsMax = 90_000
const fileMsMax = 30_000
const flakyShare = 'its tests differ from run to run'

export interface TrialPorts { sandboxes: Sandboxes }

export async function tryTests (arena: Arena, runner: Runner, files: readonly string[], limits: ArenaLimits, ports: TrialPorts, signal?: AbortSignal): Promise<Trial> {
  const once = async (chosen: readonly string[], timeoutMs: number): Promise<Run> => {
    const sandbox = await ports.sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'arena', purpose: 'trial' } }, signal)
    try { return await runTests(sandbox, runner, chosen, { timeoutMs, outputBytesMax: limits.logBytesMax }, signal) } finally { await sandbox.destroy() }
  }
  const isSplit = arena.testCommand === null || arena.testCommand.includes('{files}')
  let first = await once(files, Math.min(togetherMsMax, limits.testMsMax))
  const dropped: Trial['dropped'] = []
  if (first.timedOut && isSplit && files.length > 1) first = await oneByOne(files, once, limits, dropped)

  const isNamed = fileNames(first.results, files).size > 0
  const counts = isNamed || !isSplit || first.timedOut ? countByFile(first.results, files) : await countAlone(files, once, limits)
  const passed = Object.values(first.results).filter(status => status === 'passed').length
  const failed = Object.keys(first.results).length - passed
  const result = (kept: FileCount[]): Trial => {
    // A command that cannot be split by file stands for all its tests with every file.
    const passing = Math.min(passed, kept.reduce((sum, file) => sum + file.passed, 0))
    return { files: kept, dropped, passed, failed, passing, logTail: tail(first.log) }
  }
  const gone = new Set(dropped.map(({ path }) => path))
  const good = counts.filter(count => {
    if (gone.has(count.path)) return false
    if (count.failed === 0 && count.passed > 0) return true
    dropped.push({ path: count.path, reason: count.passed + count.failed === 0 ? 'it gives no results' : `${count.failed} of its ${count.passed + count.failed} tests fail` })
    return false
  })
  if (good.length === 0) return result([])

  const paths = good.map(({ path }) => path)
  const second = await once(paths, Math.min(togetherMsMax, limits.testMsMax) * (gone.size > 0 ? 2 : 1))
  return result(good.filter(({ path }) => {
    if (sameResults(path, first.results, second.results, files)) return true
    dropped.push({ path, reason: flakyShare })
    return false
  }))
}

async function oneByOne (files: readonly string[], once: (files: readonly string[], timeoutMs: number) => Promise<Run>, limits: ArenaLimits, dropped: Trial['dropped']): Promise<Run> {
  const results: TestMap = {}
  const logs: string[] = []
  let slowMs = 0
  for (const path of files) {
    if (slowMs >= limits.testMsMax) {
      dropped.push({ path, reason: `the tests before it hung for more than testMsMax = ${limits.testMsMax} ms` })
      continue
    }
    const run = await once([path], Math.min(fileMsMax, limits.testMsMax))
    logs.push(run.log)
    if (!run.timedOut) Object.assign(results, run.results)
    else {
      slowMs += fileMsMax
      dropped.push({ path, reason: `it does not end within ${Math.min(fileMsMax, limits.testMsMax)} ms` })
    }
  }
  return { results, log: logs.join('\n'), timedOut: false }
}

/** For a command whose output does not say which file a test stands in. */
async function countAlone (files: readonly string[], once: (files: readonly string[], timeoutMs: number) => Promise<Run>, limits: ArenaLimits): Promise<FileCount[]> {
  const counts: FileCount[] = []
  for (const path of files) {
    const { results } = await once([path], Math.min(fileMsMax, limits.testMsMax))
    const all = Object.values(results)
    const passed = all.filter(status => status === 'passed').length
    counts.push({ path, passed, failed: all.length - passed })
  }
  return counts
}

/** Runs the script and reads its log with the parser, both in the sandbox. No results where the parser finds none. */
export async function runTests (sandbox: Sandbox, runner: Runner, files: readonly string[], bounds: { timeoutMs: number; outputBytesMax: number }, signal?: AbortSignal): Promise<Run> {
  const options = { ...bounds, ...signal === undefined ? {} : { signal } }
  const script = `${sandbox.scratch}/trial/test_script.sh`
  const parser = `${sandbox.scratch}/trial/${runner.parser.name}`
  await sandbox.writeFile(script, Buffer.from(runner.script(files)), 0o755)
  await sandbox.writeFile(parser, Buffer.from(runner.parser.source), 0o755)
  const run = await sandbox.exec(withWholeOutput(`cd ${shellQuote(sandbox.tree)} && bash ${shellQuote(script)}`, sandbox), options)
  const log = Buffer.from(run.output).toString('utf8')
  if (run.killed === 'abort') throw signal?.reason ?? new Error('aborted')
  if (run.killed !== null) return { results: {}, log, timedOut: true }
  const interpreter = { py: '"$(command -v python || command -v python3)"', js: 'node', sh: 'bash' }[runner.parser.name.split('.').at(-1) as 'py' | 'js' | 'sh']
  const parsed = await sandbox.exec(`${interpreter} ${shellQuote(parser)} 2>/dev/null`, { ...options, stdin: run.output })
  return { results: readMap(Buffer.from(parsed.output).toString('utf8')), log, timedOut: false }
}

function readMap (text: string): TestMap {
  try {
    const value: unknown = JSON.parse(text)
    return value !== null && typeof value === 'object' ? value as TestMap : {}
  } catch {
    return {}
  }
}

/** Ids begin with their file; of a command that cannot be split by file, every file stands for all tests. */
export function countByFile (results: TestMap, files: readonly string[]): FileCount[] {
  const counts = new Map(files.map(path => [path, { path, passed: 0, failed: 0 }]))
  const named = fileNames(results, files)
  for (const [id, status] of Object.entries(results)) {
    const path = named.get(id)
    for (const count of path === undefined ? [] : [counts.get(path)!]) count[status]++
  }
  if (named.size > 0) return [...counts.values()]
  const all = Object.values(results)
  const passed = all.filter(status => status === 'passed').length
  return files.map(path => ({ path, passed, failed: all.length - passed }))
}

function fileNames (results: TestMap, files: readonly string[]): Map<string, string> {
  const known = new Set(files)
  const named = new Map<string, string>()
  for (const id of Object.keys(results)) {
    // A path may hold the separator itself: the longest prefix that is a file.
    for (let at = id.lastIndexOf('::'); at > 0; at = id.lastIndexOf('::', at - 1)) {
      if (!known.has(id.slice(0, at))) continue
      named.set(id, id.slice(0, at))
      break
    }
  }
  return named
}

function sameResults (path: string, first: TestMap, second: TestMap, files: readonly string[]): boolean {
  const of = (results: TestMap): string => {
    const named = fileNames(results, files)
    return JSON.stringify(Object.entries(results).filter(([id]) => named.size === 0 || named.get(id) === path).sort(([one], [other]) => one < other ? -1 : 1))
  }
  return of(first) === of(second)
}

/** The end of a log, and before it the first lines that name an error: those say more than the stack that follows. */
function tail (log: string): string {
  const lines = log.trimEnd().split('\n')
  const last = lines.slice(-12)
  const errors = lines.slice(0, -12).filter(line => /\b\w*Error\b|Cannot find|No module named|not found/.test(line)).slice(0, 3)
  return [...errors, ...errors.length > 0 ? ['…'] : [], ...last].map(line => line.slice(0, 300)).join('\n')
}
