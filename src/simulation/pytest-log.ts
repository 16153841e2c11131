// The words of pytest, as Spar's launcher makes it speak (`-rfEp`, 120 columns), and the parser that is kept with its scripts.

import type { FileResult } from './suite.ts'

export interface Printed { exitCode: number; output: Uint8Array }

const columns = 120

function rule (title: string, sign: string): string {
  const fill = sign.repeat(Math.max(1, Math.floor((columns - title.length - 2) / 2)))
  const line = `${fill} ${title} ${fill}`
  return line.length < columns ? `${line}${sign}\n` : `${line}\n`
}

const head = `${rule('test session starts', '=')}platform linux -- Python 3.12.3, pytest-9.0.1, pluggy-1.6.0\nrootdir: /testbed\n`

/** `missing`: a test file that is not there, so that nothing ran. */
export function printRun (files: readonly FileResult[] | { missing: string }): Printed {
  if ('missing' in files) return printed(4, `${head}collected 0 items\n\n${rule('no tests ran in 0.01s', '=')}ERROR: file or directory not found: ${files.missing}\n\n`)
  const tests = files.flatMap(({ path, tests }) => tests.map(test => ({ id: `${path}::${test.name}`, ...test })))
  const errors = files.filter(({ error }) => error !== null)
  const failed = tests.filter(({ failure }) => failure !== null)
  const passed = tests.filter(({ failure }) => failure === null)
  const counted = `collected ${tests.length} items${errors.length === 0 ? '' : ` / ${errors.length} error${errors.length > 1 ? 's' : ''}`}\n\n`
  const summary = [...failed.map(({ id, failure }) => `FAILED ${id} - ${failure!}\n`), ...errors.map(({ path }) => `ERROR ${path}\n`), ...passed.map(({ id }) => `PASSED ${id}\n`)]
  const exitCode = failed.length + errors.length > 0 ? 1 : tests.length === 0 ? 5 : 0
  return printed(exitCode, head + counted + progress(files, tests.length) + errorsOf(errors) + failuresOf(failed) +
    (summary.length === 0 ? '' : rule('short test summary info', '=') + summary.join('')) + rule(`${figures(failed.length, passed.length, errors.length)} in 0.01s`, '='))
}

const printed = (exitCode: number, text: string): Printed => ({ exitCode, output: Buffer.from(text) })

function progress (files: readonly FileResult[], all: number): string {
  let done = 0
  return files.filter(({ tests }) => tests.length > 0).map(({ path, tests }) => {
    done += tests.length
    const line = `${path} ${tests.map(({ failure }) => failure === null ? '.' : 'F').join('')}`
    return `${line}${`[${String(Math.floor(100 * done / all)).padStart(3)}%]`.padStart(columns - line.length)}\n`
  }).join('') + '\n'
}

const errorsOf = (errors: readonly FileResult[]): string =>
  errors.length === 0 ? '' : rule('ERRORS', '=') + errors.map(({ path, error }) => `${rule(`ERROR collecting ${path}`, '_')}E   ${error!}\n`).join('')

const failuresOf = (failed: readonly { id: string; name: string; failure: string | null }[]): string =>
  failed.length === 0 ? '' : rule('FAILURES', '=') + failed.map(({ id, name, failure }) => `${rule(name, '_')}${id.split('::')[0]!}: in ${name}\nE   ${failure!}\n`).join('')

function figures (failed: number, passed: number, errors: number): string {
  const parts = [failed > 0 ? `${failed} failed` : '', passed > 0 ? `${passed} passed` : '', errors > 0 ? `${errors} error${errors > 1 ? 's' : ''}` : ''].filter(part => part !== '')
  return parts.length === 0 ? 'no tests ran' : parts.join(', ')
}

/** What the parser of pytest's scripts prints of a log: nothing, with exit code 1, where no test has a result. */
export function printParsed (log: Uint8Array): Printed {
  const lines = Buffer.from(log.buffer, log.byteOffset, log.length).toString('utf8').split('\n')
  const last = lines.findLastIndex(line => /^=+ short test summary info =+$/.test(line))
  const results = new Map<string, 'passed' | 'failed'>()
  for (const line of last === -1 ? [] : lines.slice(last + 1)) {
    const match = /^(PASSED|FAILED|ERROR) (\S+::\S+)/.exec(line)
    if (match === null) continue
    if (results.get(match[2]!) !== 'failed') results.set(match[2]!, match[1] === 'PASSED' ? 'passed' : 'failed')
  }
  if (results.size === 0) return printed(1, '')
  return printed(0, `{${[...results].map(([id, status]) => `${JSON.stringify(id)}: "${status}"`).join(', ')}}\n`)
}
