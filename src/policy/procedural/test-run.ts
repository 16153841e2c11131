// One run of a test script as the procedural policies make it: under limits, log and parsed results kept as files of the
// scratch folder, and read back packed. Limits are in processor time where possible, so that a busy machine does not
// change what a program decides; the wall-clock limit only catches what hangs.

import type { Ecosystem, TestMap } from '../../domain.ts'
import { shellQuote } from '../../quote.ts'
import { unpackFiles } from './tree.ts'

export const testRunLimits = {
  /** Processor seconds of any one process. */
  processorSeconds: 10,
  /** Wall-clock seconds of the whole script; where it compiles first, it gets more. */
  seconds: 25,
  compiledSeconds: 50,
  /** Wall-clock seconds of all runs in one command, below the tools' own deadline. */
  commandSeconds: 110,
  /** Bytes of the log's end that are read back. */
  logBytes: 20_000
}

export interface TestRun {
  exitCode: number | null
  /** What the parser made of the log, or null when it made nothing valid. */
  results: TestMap | null
  /** The end of the log. */
  log: string
  /** It ran into a limit: what it printed says nothing. */
  stuck: boolean
}

export const secondsOf = (ecosystem: Ecosystem): number => ecosystem === 'go' ? testRunLimits.compiledSeconds : testRunLimits.seconds

/** How many runs one command may hold. */
export const runsPerCommand = (ecosystem: Ecosystem): number => Math.floor(testRunLimits.commandSeconds / (secondsOf(ecosystem) + 2))

export interface RunOptions {
  /** Absolute paths of the script and the parser, and the folder for what comes of them. */
  script: string
  parser: string
  into: string
  ecosystem: Ecosystem
  /** Bash that sets the environment of the script. */
  environment?: string
}

/** Bash that runs the script and leaves `log`, `code` and `map` in the folder. */
export function runCommand ({ script, parser, into, ecosystem, environment = '' }: RunOptions): string {
  const folder = shellQuote(into)
  return `mkdir -p ${folder}; ( ulimit -t ${testRunLimits.processorSeconds}; ${environment} exec timeout -k 2 ${secondsOf(ecosystem)} bash ${shellQuote(script)} ) > ${folder}/log 2>&1 < /dev/null; ` +
    `echo $? > ${folder}/code; ${parserCommand(parser)} < ${folder}/log > ${folder}/map 2> /dev/null || echo '{}' > ${folder}/map`
}

/** How a parser is run: by its ending, else by its shebang. */
export function parserCommand (path: string): string {
  const program = path.endsWith('.py') ? 'python3 ' : path.endsWith('.js') ? 'node ' : path.endsWith('.sh') ? 'bash ' : ''
  return `${program}${shellQuote(path)}`
}

/** Bash that prints the files of a run, and `more` files of its folder, framed for `readRun`. */
export function printCommand (into: string, { more = [], logBytes: tail = testRunLimits.logBytes }: { more?: readonly string[]; logBytes?: number } = {}): string {
  const framed = (name: string, bytes: string): string => `printf '%d %s\\0' "$(${bytes} | wc -c)" ${shellQuote(`${into}/${name}`)}; ${bytes}`
  return [
    framed('log', `tail -c ${tail} ${shellQuote(into)}/log`),
    ...['code', 'map', ...more].map(name => framed(name, `cat ${shellQuote(into)}/${shellQuote(name)}`))
  ].join('; ')
}

export function readRun (files: Map<string, string>, into: string): TestRun {
  const exitCode = parseCode(files.get(`${into}/code`))
  const log = files.get(`${into}/log`) ?? ''
  return { exitCode, results: parseMap(files.get(`${into}/map`)), log, stuck: exitCode === null || ranOut(exitCode, log) }
}

export const readRuns = (output: Buffer, folders: readonly string[]): TestRun[] => {
  const files = unpackFiles(output)
  return folders.map(into => readRun(files, into))
}

const parseCode = (text: string | undefined): number | null => text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : null

/** 124 and 137: the wall clock; 152: the processor limit, also when it struck a process that the runner started. */
const ranOut = (exitCode: number, log: string): boolean =>
  [124, 137, 152].includes(exitCode) || /SIGXCPU|CPU time limit exceeded|signal: (?:killed|9)\b|SIGKILL/.test(log)

function parseMap (text: string | undefined): TestMap | null {
  try {
    const map: unknown = JSON.parse(text ?? '')
    if (typeof map !== 'object' || map === null || Array.isArray(map)) return null
    const entries = Object.entries(map)
    return entries.length > 0 && entries.every(([, status]) => status === 'passed' || status === 'failed') ? map as TestMap : null
  } catch {
    return null
  }
}

export const idsWith = (results: TestMap | null, status: 'passed' | 'failed'): string[] =>
  Object.entries(results ?? {}).flatMap(([id, found]) => found === status ? [id] : [])
