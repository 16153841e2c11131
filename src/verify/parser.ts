// Runs a parser: a program that a model wrote, in a sandbox of its own that holds nothing else. It gets the log on
// standard input, twice, and must print the same one object both times.

import type { TestMap } from '../domain.ts'
import type { ExecResult, Sandbox } from '../ports.ts'
import { throwIfFull } from '../sandbox/room.ts'
import { shellQuote } from '../quote.ts'
import type { VerifyLimits } from './limits.ts'
import { inventedFrom, otherPath, unrelatedLog, untraced } from './probes.ts'
import { confirmed, throwIfAborted } from './tree.ts'
import type { Suite } from './types.ts'

export type Parsed =
  | { kind: 'map'; results: TestMap }
  /** An empty object, or nothing at all: no test in the log, or a parser that gave up. */
  | { kind: 'silent'; reason: string }
  | { kind: 'fault'; reason: string }

const programs: Record<string, string> = { py: 'python3', js: 'node', mjs: 'node', cjs: 'node', sh: 'bash' }

/** How a parser is started: by its ending, else by its shebang. Null where neither says. */
export function parserCommand (path: string, source: Uint8Array): string | null {
  const program = programs[/\.([a-z]+)$/.exec(path)?.[1] ?? '']
  if (program !== undefined) return `${program} ${shellQuote(path)}`
  return source[0] === 0x23 && source[1] === 0x21 ? shellQuote(path) : null
}

/** What a parser says beside its one object is nobody's. */
export const quietly = (command: string): string => `${command} 2>/dev/null`

/** `sandbox` is fresh and of the `empty` view; `isProbed`: the parser is tried on other logs too (probes.ts). */
export async function runParser (sandbox: Sandbox, suite: Suite, log: Uint8Array, limits: VerifyLimits, isProbed: boolean, signal?: AbortSignal): Promise<Parsed> {
  const path = `${sandbox.scratch}/${suite.parserName}`
  const command = parserCommand(path, suite.parser)
  if (command === null) return { kind: 'fault', reason: `${suite.parserName} has neither a known ending (.py, .js, .sh) nor a shebang` }
  await sandbox.writeFile(path, suite.parser, 0o755)
  const first = await runOnce(sandbox, command, log, limits, signal)
  if (typeof first === 'string') return { kind: 'fault', reason: first }
  const parsed = readOutput(first, limits)
  if (parsed.kind === 'fault') return parsed
  const second = await runOnce(sandbox, command, log, limits, signal)
  if (typeof second === 'string') return { kind: 'fault', reason: `second run: ${second}` }
  if (!isSame(first, second)) return { kind: 'fault', reason: 'two runs over the same log print different bytes' }
  const odd = isProbed && parsed.kind === 'map' ? await probe(sandbox, suite, { log, first, results: parsed.results }, limits, signal) : null
  return odd === null ? parsed : { kind: 'fault', reason: odd }
}

interface Printed { exitCode: number; output: Uint8Array }

const isSame = (one: Printed, other: Printed): boolean => one.exitCode === other.exitCode && Buffer.compare(one.output, other.output) === 0

async function probe (sandbox: Sandbox, suite: Suite, { log, first, results }: { log: Uint8Array; first: Printed; results: TestMap }, limits: VerifyLimits, signal?: AbortSignal): Promise<string | null> {
  const path = `${sandbox.scratch}/${suite.parserName}`
  for (const [what, bytes] of [['an empty log', ''], ['a log of other words', unrelatedLog]] as const) {
    const printed = await runOnce(sandbox, parserCommand(path, suite.parser)!, Buffer.from(bytes), limits, signal)
    // A parser may refuse such a log in any way that names no test.
    const parsed = typeof printed === 'string' ? null : readOutput(printed, limits)
    const odd = parsed?.kind === 'map' ? inventedFrom(what, parsed.results) : null
    if (odd !== null) return odd
  }
  const copy = otherPath(sandbox.scratch, suite.parserName)
  await sandbox.writeFile(copy, suite.parser, 0o755)
  const printed = await runOnce(sandbox, parserCommand(copy, suite.parser)!, log, limits, signal)
  if (typeof printed === 'string' || !isSame(first, printed)) return 'the parser prints something else under another file name'
  return log.length > limits.tracedBytesMax ? null : untraced(results, Buffer.from(log).toString('utf8'))
}

async function runOnce (sandbox: Sandbox, command: string, log: Uint8Array, limits: VerifyLimits, signal?: AbortSignal): Promise<Printed | string> {
  const options = { timeoutMs: limits.parserMsMax, outputBytesMax: limits.parserOutputBytesMax, stdin: log, ...(signal ? { signal } : {}) }
  const exec = async (): Promise<ExecResult> => {
    const result = await sandbox.exec(quietly(command), options)
    throwIfAborted(result, signal)
    await throwIfFull(sandbox, result, signal)
    return result
  }
  const { exitCode, output, killed, truncatedBytes } = await confirmed(exec)
  if (killed === 'timeout') return `the parser does not end within ${limits.parserMsMax} ms (parserMsMax)`
  if (killed === 'output' || truncatedBytes > 0) return `the parser prints more than ${limits.parserOutputBytesMax} bytes (parserOutputBytesMax)`
  if (killed !== null || exitCode === null) return `the parser was killed (${killed ?? 'signal'})`
  return { exitCode, output }
}

function readOutput ({ exitCode, output }: Printed, limits: VerifyLimits): Parsed {
  const text = Buffer.from(output).toString('utf8').trim()
  if (text === '') return { kind: 'silent', reason: `the parser prints nothing and exits with ${exitCode}` }
  if (text === '{}') return { kind: 'silent', reason: `the parser prints an empty object and exits with ${exitCode}` }
  if (exitCode !== 0) return { kind: 'fault', reason: `the parser exits with ${exitCode}` }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { kind: 'fault', reason: `the parser does not print one JSON object: ${(error as Error).message.slice(0, 200)}` }
  }
  return readMap(value, limits)
}

function readMap (value: unknown, limits: VerifyLimits): Parsed {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { kind: 'fault', reason: 'the parser prints JSON that is no object' }
  const entries = Object.entries(value)
  if (entries.length === 0) return { kind: 'silent', reason: 'the parser prints an empty object' }
  if (entries.length > limits.testsMax) return { kind: 'fault', reason: `the parser names ${entries.length} tests, the limit is ${limits.testsMax} (testsMax)` }
  const odd = entries.find(([, status]) => status !== 'passed' && status !== 'failed')
  if (odd !== undefined) return { kind: 'fault', reason: `the parser gives ${JSON.stringify(odd[1])?.slice(0, 80)} for ${JSON.stringify(odd[0]).slice(0, 200)}: only "passed" and "failed" are known` }
  return { kind: 'map', results: sortedMap(value as TestMap) }
}

/** By id, whoever read the log: the same results are the same bytes. */
export const sortedMap = (map: TestMap): TestMap => Object.fromEntries(Object.entries(map).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0))
