// A program of this version, built with one known defect in its source.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type { Mutation } from './mutations.ts'

const repoRoot = fileURLToPath(new URL('../../../', import.meta.url))

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

/** `program`: its source, in this folder. Rejects where the defect is not in what was built. */
export async function buildWith (mutation: Mutation, program: string, outfile: string): Promise<void> {
  let isChanged = false
  await build({
    entryPoints: [join(repoRoot, 'test/simulation', program)], outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'silent',
    plugins: [mutated(mutation, () => { isChanged = true })]
  })
  if (!isChanged) throw new Error(`${mutation.file} is no part of ${program}`)
}
