// Goal: the simulator finds what it is there for. Method: the product is built once for each known defect, with that one change in its
// source, and seeds are played on it until a rule is broken.

import { join } from 'node:path'
import t from 'tap'
import { buildWith } from './build.ts'
import { mutations } from './mutations.ts'
import { play } from './play.ts'
import { testFolder } from '../helpers/test-folder.ts'

/** Seeds within which each has to be found, and the first of them: always the same ones, so that a checker that went blind is seen. */
const seedsMax = 60
const firstSeed = 1

for (const mutation of mutations) {
  t.test(mutation.name, async t => {
    const outfile = join(testFolder(t), 'hunt.mjs')
    await t.resolves(buildWith(mutation, 'hunt.ts', outfile), 'the defect is in')
    const played = await play(firstSeed, seedsMax, { nodes: 2, episodes: 3, faults: mutation.chances === undefined ? undefined : { chances: mutation.chances, rates: mutation.rates ?? {} } }, outfile)
    const found = played.at(-1)!.violations
    t.ok(found.some(({ rule }) => mutation.rules.includes(rule)), `found after ${played.length} seeds`, { found: found.slice(0, 3), expected: mutation.rules })
    t.comment(`${played.length} seeds: ${found[0]?.rule ?? ''} ${found[0]?.what ?? ''}`)
  })
}
