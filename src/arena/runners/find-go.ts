// Go: test files are named by the language. Nested modules and vendored packages are not this repository's tests.

import { inFolder, readAll } from './contents.ts'
import type { FoundRunner, TreeReader } from './types.ts'

const left = new Set(['vendor', 'testdata'])

export async function findGo (tree: TreeReader, paths: readonly string[]): Promise<FoundRunner | null> {
  if (!paths.includes('go.mod')) return null
  const nested = paths.filter(path => path.endsWith('/go.mod')).map(path => path.slice(0, -'go.mod'.length))
  const candidates = paths.filter(path => path.endsWith('_test.go') && !inFolder(path, left) && !/(^|\/)[._]/.test(path) &&
    !nested.some(folder => path.startsWith(folder)))
  const testFiles = (await readAll(tree, candidates)).filter(({ text }) => /^func (Test[^a-z]|Example|Fuzz)\w*\s*\(/m.test(text)).map(({ path }) => path)
  if (testFiles.length === 0) return null
  return { runner: 'go test', ecosystem: 'go', evidence: `go.mod, and ${testFiles[0]} defines tests`, testFiles }
}
