// Goal: the simulator finds what it is there for. Method: the product is built once for each known defect, with that one change in its
// source, and seeds are played on it until a rule is broken.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import t from 'tap'
import { mutations, type Mutation } from './mutations.ts'
import { play } from './play.ts'
import { testFolder } from '../helpers/test-folder.ts'

const repoRoot = fileURLToPath(new URL('../../../', import.meta.url))
/** Seeds within which each has to be found, and the first of them: always the same ones, so that a checker that went blind is seen. */
const seedsMax = 60
const firstSeed = 1

const mutated = ({ file, find, replace }: Mutation, onChanged: () => void): Plugin => ({
  name: 'mutated',
  setup (build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (path !== join(repoRoot, file)) return null
      const source = await readFile(path, 'utf8')
      if (source.split(find).length !== 2) throw new Error(`"${find}" is not once in ${file}`)
      onChanged()
      return { contents: source.replace(find, () => replace), loader: 'ts' }
    })
  }
})

for (const mutation of mutations) {
  t.test(mutation.name, async t => {
    let isChanged = false
    const outfile = join(testFolder(t), 'hunt.mjs')
    await build({
      entryPoints: [join(repoRoot, 'test/simulation/hunt.ts')], outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'silent',
      plugins: [mutated(mutation, () => { isChanged = true })]
    })
    t.ok(isChanged, 'the defect is in')
    const played = await play(firstSeed, seedsMax, { nodes: 2, episodes: 3, chances: mutation.chances }, outfile)
    const found = played.at(-1)!.violations
    t.ok(found.some(({ rule }) => mutation.rules.includes(rule)), `found after ${played.length} seeds`, { found: found.slice(0, 3), expected: mutation.rules })
    t.comment(`${played.length} seeds: ${found[0]?.rule ?? ''} ${found[0]?.what ?? ''}`)
  })
}
