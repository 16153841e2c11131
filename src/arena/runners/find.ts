// Which runner a repository's tests are for, and which files hold tests. File contents decide before manifests do: a
// package may name one runner and ship tests for another. Of several ecosystems in one tree the one with more test files
// wins. Helpers and fixtures beside the tests do not count.

import { findGo } from './find-go.ts'
import { findNode } from './find-node.ts'
import { findPython } from './find-python.ts'
import type { FoundRunner, TreeReader } from './types.ts'

export async function findRunner (tree: TreeReader): Promise<FoundRunner | null> {
  const paths = (await tree.list()).filter(path => !path.split('/').some(part => part === 'node_modules' || part === '.git')).sort()
  const found = [await findPython(tree, paths), await findNode(tree, paths), await findGo(tree, paths)]
  return found.filter(one => one !== null).reduce<FoundRunner | null>((best, one) =>
    best === null || one.testFiles.length > best.testFiles.length ? one : best, null)
}
