// npm run fuzz -- [--only diff|lines] [--cases 50000] [--seed 1] [--from 0]: runs the fuzzers for as long as asked, and prints
// what it takes to see a difference again.

import { parseArgs } from 'node:util'
import { fuzzDiff, show } from './diff.ts'
import { fuzzLines } from './lines.ts'

const { values } = parseArgs({ options: { only: { type: 'string' }, cases: { type: 'string', default: '2000' }, seed: { type: 'string', default: '1' }, from: { type: 'string', default: '0' } } })
const [cases, seed, from] = [Number(values.cases), Number(values.seed), Number(values.from)]

/** Each returns how many differences it found. */
const fuzzers: Record<string, () => number> = {
  diff: () => {
    const started = Date.now()
    const { differences, accepted } = fuzzDiff({ seed, cases, from, differencesMax: 10, onProgress: done => { if (done % 6400 === 0) console.log(`diff: ${done} cases`) } })
    for (const { number, why, sample } of differences) {
      console.log(`---- diff --seed ${seed} --from ${number} --cases 1${sample.reverse ? ' (-R)' : ''}: ${why}`)
      for (const [path, { mode, bytes }] of sample.tree) console.log(`[${mode} ${JSON.stringify(path)}]\n${show(bytes)}`)
      console.log(`[patch]\n${show(sample.patch)}`)
    }
    console.log(`diff: ${cases} cases, ${accepted} applied by git, ${differences.length} differences, ${Math.round((Date.now() - started) / 1000)} s`)
    return differences.length
  },
  lines: () => {
    const { changedLines, changedLinesByGit } = fuzzLines({ seed, cases })
    console.log(`lines: ${cases} cases without a difference, ${changedLines} changed lines where git has ${changedLinesByGit}`)
    return 0
  }
}

let found = 0
for (const [name, fuzz] of Object.entries(fuzzers)) if (values.only === undefined || values.only === name) found += fuzz()
process.exitCode = found === 0 ? 0 : 1
