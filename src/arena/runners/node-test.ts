// node:test, through its own `run()`: the runner's events say what is a test and what a suite, where its TAP text does
// not say which file a test stands in. Files run side by side as `node --test` runs them; the log is written in order.

import { nodeParser, parserOf } from './parsers.ts'
import { findNodeFlags, scriptHead } from './script.ts'
import type { Runner } from './types.ts'

const launcher = (onSkipped: string): string => String.raw`
const { run } = require('node:test')
const { relative, resolve } = require('node:path')
const { inspect } = require('node:util')
const files = process.argv.slice(2)
const escape = name => name.replace(/[\u0000-\u001f\u2028\u2029]/g, c => JSON.stringify(c).slice(1, -1))
let failures = 0

// Events come in the order of the source; start events of the tests around one name its path.
function play (file) {
  return new Promise((done, lost) => {
    const log = []
    const path = []
    const isFile = data => data.nesting === 0 && resolve(data.name) === resolve(file)
    const report = (word, data) => {
      if (data.skip !== undefined || data.todo !== undefined || isFile(data)) ${onSkipped}
      log.push(word + ' ' + file + '::' + [...path.slice(0, data.nesting), data.name].map(escape).join(' > '))
    }
    run({ files: [resolve(file)], concurrency: false })
      .on('test:start', data => { path[data.nesting] = data.name })
      .on('test:stdout', data => log.push(data.message.replace(/\n$/, '')))
      .on('test:stderr', data => log.push(data.message.replace(/\n$/, '')))
      .on('test:pass', data => { if (data.details?.type !== 'suite') report('PASSED', data) })
      .on('test:fail', data => {
        if (data.todo !== undefined) return
        failures++
        const error = data.details?.error
        if (data.details?.type !== 'suite') report('FAILED', data)
        if (isFile(data)) log.push('ERROR ' + file)
        if (error?.failureType !== 'subtestsFailed') log.push(inspect(error?.cause ?? error))
      })
      .on('error', lost)
      .on('end', () => done(log.join('\n')))
      .resume()
  })
}

async function main () {
  const logs = files.map(() => null)
  let next = 0
  let printed = 0
  const worker = async () => {
    while (next < files.length) {
      const index = next++
      logs[index] = await play(files[index])
      for (; logs[printed] != null; printed++) process.stdout.write('# file: ' + files[printed] + '\n' + logs[printed] + '\n')
    }
  }
  const { availableParallelism, cpus } = require('node:os')
  const jobs = Math.max(1, Math.min(4, availableParallelism?.() ?? cpus().length))
  await Promise.all(Array.from({ length: jobs }, worker))
  process.exitCode = failures > 0 ? 1 : 0
}

main().catch(error => {
  console.error(error)
  process.exitCode = 70
})
`

/** A file as a whole is no test, skipped or not. */
const body = (tells: 'all' | 'skipped'): string => `${findNodeFlags}node \${flags[@]+"\${flags[@]}"} - "\${files[@]}" <<'JS'
${launcher(tells === 'skipped' ? "{ if (isFile(data)) return; word = 'SKIPPED' }" : 'return')}JS
`

export const nodeTest: Runner = {
  name: 'node:test',
  ecosystem: 'node',
  script: (files, tells = 'all') => scriptHead('node:test', files) + body(tells),
  parser: parserOf('node', nodeParser)
}
