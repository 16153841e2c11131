// Which lines of the tree run under which test file, learnt with a policy's own tools: every test file is run on its own
// with the runner's script and the ecosystem's own means of tracing. What does not fit: runners that compile sources
// before they run (vitest) give no usable offsets; for them, and whenever a trace is empty, the import graph of the test
// file says which files count, with all their lines.

import { shellQuote } from '../../quote.ts'
import type { Runner } from '../../arena/runners/types.ts'
import { istanbulLines, pythonTracer, v8Lines } from './coverage-probes.ts'
import { goProfileLines } from './coverage-go.ts'
import { importedFiles } from './import-graph.ts'
import type { Play } from './session.ts'
import { printCommand, readRun, runCommand, runsPerCommand, type TestRun } from './test-run.ts'
import { unpackFiles, type ToolTree } from './tree.ts'

/** First and last line, 1-based, inclusive. */
export type LineRange = [number, number]
/** Lines that ran, by path (test files included). */
export type Lines = Map<string, LineRange[]>
/** Test file to source path to lines. */
export type Coverage = Map<string, Lines>

export interface CoverageRun extends TestRun { lines: Lines; measured: boolean }

const allLines: LineRange[] = [[1, 1_000_000]]

/** Runs each test file alone: its results, the end of its log, and the lines that ran. */
export async function * measureCoverage (tree: ToolTree, runner: Runner, testFiles: readonly string[]): Play<Map<string, CoverageRun>> {
  const measured = new Map<string, CoverageRun>()
  const many = runsPerCommand(runner.ecosystem)
  for (let at = 0; at < testFiles.length; at += many) {
    const part = testFiles.slice(at, at + many)
    const { output } = yield * tree.output(
      `I run ${part.join(', ')} with tracing on, to see which code each of them covers.`, coverageCommand(tree, runner, part))
    const files = unpackFiles(output)
    for (const [index, path] of part.entries()) {
      const into = folderOf(tree, index)
      const lines = readLines(files.get(`${into}/lines`), runner)
      const own = lines.size > 0
      measured.set(path, { ...readRun(files, into), lines: own ? lines : yield * linesByImport(tree, path), measured: own })
    }
  }
  return measured
}


export function coversAny (ranges: readonly LineRange[] | undefined, first: number, last: number): boolean {
  return ranges?.some(([from, to]) => from <= last && to >= first) ?? false
}

const folderOf = (tree: ToolTree, index: number): string => `${tree.task.scratch}/cover/${index}`

function coverageCommand (tree: ToolTree, runner: Runner, testFiles: readonly string[]): string {
  const base = `${tree.task.scratch}/cover`
  const parser = `${base}/${runner.parser.name}`
  const save = (path: string, text: string): string => `printf %s ${shellQuote(text)} > ${shellQuote(path)}`
  const means = tracing(tree, runner, base)
  const runs = testFiles.map((path, index) => {
    const into = folderOf(tree, index)
    const script = `${base}/run-${index}.sh`
    return [
      save(script, means.script(runner.script([path]))),
      `rm -rf ${shellQuote(into)}`,
      `${runCommand({ script, parser, into, ecosystem: runner.ecosystem, environment: means.environment(into) })} 1>&2`,
      `${means.condense(into)} > ${shellQuote(into)}/lines`,
      printCommand(into, { more: ['lines'] })
    ].join('\n')
  })
  return [`mkdir -p ${shellQuote(`${base}/python`)}`, save(parser, runner.parser.source), ...means.files.map(([path, text]) => save(path, text)), ...runs].join('\n')
}

interface Tracing {
  /** Programs to write first. */
  files: [path: string, text: string][]
  environment (into: string): string
  script (text: string): string
  /** Bash that prints the lines that ran. */
  condense (into: string): string
}

function tracing (tree: ToolTree, runner: Runner, base: string): Tracing {
  const script = (text: string): string => text
  if (runner.ecosystem === 'python') {
    return {
      files: [[`${base}/python/sitecustomize.py`, pythonTracer]],
      environment: into => `export SPAR_COVER_OUT=${shellQuote(`${into}/traced`)} SPAR_COVER_TREE=${shellQuote(tree.task.tree)} ` +
        `PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=${shellQuote(`${base}/python`)}\${PYTHONPATH:+:$PYTHONPATH};`,
      script,
      condense: into => `{ cat ${shellQuote(`${into}/traced`)}/*.json 2>/dev/null; true; }`
    }
  }
  if (runner.ecosystem === 'go') {
    return {
      files: [],
      environment: into => `export GOFLAGS="\${GOFLAGS:+$GOFLAGS }-coverpkg=./... -coverprofile=${into}/profile";`,
      script,
      condense: into => `{ head -n 40 go.mod; cat ${shellQuote(`${into}/profile`)}; }`
    }
  }
  if (runner.name === 'jest') {
    return {
      files: [[`${base}/istanbul-lines.cjs`, istanbulLines]],
      environment: into => `export JEST_COVERAGE_FOLDER=${shellQuote(`${into}/istanbul`)};`,
      script: text => text.replace('--coverage=false', '--coverage --coverageProvider=babel --coverageReporters=json --coverageDirectory="$JEST_COVERAGE_FOLDER"'),
      condense: into => `node ${shellQuote(`${base}/istanbul-lines.cjs`)} ${shellQuote(tree.task.tree)} ${shellQuote(`${into}/istanbul/coverage-final.json`)}`
    }
  }
  return {
    files: [[`${base}/v8-lines.cjs`, v8Lines]],
    environment: into => `export NODE_V8_COVERAGE=${shellQuote(`${into}/v8`)};`,
    script,
    condense: into => `node ${shellQuote(`${base}/v8-lines.cjs`)} ${shellQuote(tree.task.tree)} ${shellQuote(`${into}/v8`)}`
  }
}

function readLines (text: string | undefined, runner: Runner): Lines {
  if (text === undefined || text === '' || runner.name === 'vitest') return new Map()
  if (runner.ecosystem === 'go') return goProfileLines(text)
  const lines: Lines = new Map()
  // One object a process, one after the other.
  for (const object of text.split(/(?<=\})(?=\{)/)) {
    for (const [path, ranges] of Object.entries(parseLines(object))) lines.set(path, [...lines.get(path) ?? [], ...ranges])
  }
  return lines
}

function parseLines (text: string): Record<string, LineRange[]> {
  try {
    return JSON.parse(text) as Record<string, LineRange[]>
  } catch {
    return {} // a process that was killed while it wrote
  }
}

async function * linesByImport (tree: ToolTree, testFile: string): Play<Lines> {
  return new Map((yield * importedFiles(tree, testFile)).map(path => [path, allLines]))
}
