// Runs failing test files, and some that pass, with tracing on, and reads the spectrum: by test for Python, tape, mocha and
// node:test; by counts with and without the oracle patch, a test file at a time, for Go, tap, and where a tracer sees no
// test fail. What does not fit: runners that compile sources before they run them (jest, vitest) trace offsets of other
// text; for them, and whenever nothing was traced, every line of what the test files import counts the same.

import { shellQuote } from '../../../quote.ts'
import { importedFiles } from '../import-graph.ts'
import type { Play } from '../session.ts'
import { applyOracle, inScratch, save, unapplyOracle, type Bench } from './prepare.ts'
import { probeOf } from './probe.ts'
import { addFailingCounts, addPassingCounts, emptySpectrum, readGoCounts, readNodeCounts, readTestSpectrum, type LineCounts, type Spectrum } from './spectrum.ts'
import { nodeFold, nodeTracer, pythonTracer } from './tracers.ts'

const why = 'I run failing and passing test files with tracing on, to see which code they reach.'

export async function * trace (bench: Bench, failing: readonly string[], passing: readonly string[]): Play<Spectrum> {
  const { runner } = bench
  const spectrum = runner.name === 'jest' || runner.name === 'vitest'
    ? emptySpectrum()
    : runner.ecosystem === 'python'
      ? yield * tracePython(bench, [...failing, ...passing])
      : runner.ecosystem === 'node' ? yield * traceNode(bench, failing, passing) : yield * traceCounts(bench, failing, passing)
  for (const path of [...spectrum.lines.keys()]) if (!bench.codeFiles.includes(path)) spectrum.lines.delete(path)
  return spectrum.lines.size > 0 ? spectrum : yield * imported(bench, failing)
}

/** Runs every file with a tracer that tells tests apart; each process leaves one JSON object. */
async function * traceTests (bench: Bench, environment: string, program: { name: string; text: string }, files: readonly string[]): Play<Spectrum> {
  const { tree } = bench
  const lines = shellQuote(inScratch(tree, 'lines'))
  const { output } = yield * tree.output(why, [
    `rm -rf ${lines}; mkdir -p ${lines} ${shellQuote(inScratch(tree, 'tracer'))}`,
    save(tree, `tracer/${program.name}`, program.text),
    save(tree, 'traced.sh', probeOf(bench.runner, files).script),
    quietly(`SOLVER_TREE=${shellQuote(tree.task.tree)} SOLVER_LINES=${lines} ${environment}`, inScratch(tree, 'traced.sh')),
    `for f in ${lines}/*.json; do cat "$f"; echo; done`
  ].join('\n'))
  return readTestSpectrum(output.toString('utf8'))
}

function tracePython (bench: Bench, files: readonly string[]): Play<Spectrum> {
  const path = shellQuote(inScratch(bench.tree, 'tracer'))
  return traceTests(bench, `PYTHONPATH=${path}\${PYTHONPATH:+:$PYTHONPATH}`, { name: 'sitecustomize.py', text: pythonTracer }, files)
}

async function * traceNode (bench: Bench, failing: readonly string[], passing: readonly string[]): Play<Spectrum> {
  const tracer = { name: 'node.cjs', text: nodeTracer }
  const byTest = yield * traceTests(bench, `NODE_OPTIONS="\${NODE_OPTIONS:-} --require \\"${inScratch(bench.tree, 'tracer/node.cjs')}\\""`, tracer, [...failing, ...passing])
  return byTest.failing > 0 ? byTest : yield * traceCounts(bench, failing, passing)
}

async function * traceCounts (bench: Bench, failing: readonly string[], passing: readonly string[]): Play<Spectrum> {
  const { tree } = bench
  const restored = [...failing, ...passing].map((file, index) => tracedRun(bench, file, `restored-${index}`))
  const weakened = failing.map((file, index) => tracedRun(bench, file, `weakened-${index}`))
  const names = [...restored, ...weakened].map(run => run.name)
  const { output } = yield * tree.output(why, [
    ...restored.map(run => run.command), unapplyOracle(tree), ...weakened.map(run => run.command), applyOracle(tree), printCounts(bench, names)
  ].join('\n'))
  const runs = new Map(output.toString('utf8').split(/^#solver# counts /m).slice(1).map(part => {
    const name = part.slice(part.lastIndexOf('/', part.indexOf('\n')) + 1, part.indexOf('\n'))
    return [name, bench.runner.ecosystem === 'go' ? readGoCounts(part, bench.codeFiles) : readNodeCounts(part)] as const
  }))
  const none: LineCounts = new Map()
  const spectrum = emptySpectrum()
  failing.forEach((_, index) => addFailingCounts(spectrum, runs.get(`weakened-${index}`) ?? none, runs.get(`restored-${index}`) ?? none))
  passing.forEach((_, index) => addPassingCounts(spectrum, runs.get(`restored-${failing.length + index}`) ?? none))
  return spectrum
}

function tracedRun ({ tree, runner }: Bench, file: string, name: string): { name: string; command: string } {
  const lines = inScratch(tree, `lines/${name}`)
  const environment = runner.ecosystem === 'go'
    ? `GOFLAGS="\${GOFLAGS:+$GOFLAGS }-covermode=count -coverpkg=./... -coverprofile=${lines}/profile"`
    : `NODE_V8_COVERAGE=${shellQuote(lines)}`
  const command = [
    `rm -rf ${shellQuote(lines)}; mkdir -p ${shellQuote(lines)}`,
    save(tree, 'traced.sh', probeOf(runner, [file]).script),
    quietly(environment, inScratch(tree, 'traced.sh'))
  ].join('\n')
  return { name, command }
}

function printCounts ({ tree, runner }: Bench, names: readonly string[]): string {
  const folders = names.map(name => shellQuote(inScratch(tree, `lines/${name}`))).join(' ')
  if (runner.ecosystem === 'go') return `for f in ${folders}; do echo "#solver# counts $f"; cat "$f/profile"; done`
  return `${save(tree, 'fold.cjs', nodeFold)}; node ${shellQuote(inScratch(tree, 'fold.cjs'))} ${shellQuote(tree.task.tree)} ${folders}`
}

/** Tracing is slow: it gets more time than a trial, and what is cut leaves a poorer trace. */
const quietly = (environment: string, script: string): string => `${environment} timeout -k 1 30 bash ${shellQuote(script)} > /dev/null 2>&1 < /dev/null`

async function * imported ({ tree, codeFiles }: Bench, testFiles: readonly string[]): Play<Spectrum> {
  const spectrum: Spectrum = { failing: 1, lines: new Map() }
  for (const file of testFiles) {
    for (const path of yield * importedFiles(tree, file)) {
      if (!codeFiles.includes(path)) continue
      const text = (yield * tree.read([path])).get(path) ?? ''
      spectrum.lines.set(path, new Map(text.split('\n').map((_, index) => [index + 1, { failing: 1, passing: 8 }])))
    }
  }
  return spectrum
}
