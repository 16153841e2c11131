// What a path of a patch is, for the scope check and for attempts. Infrastructure wins over test (a conftest.py is both),
// test over documentation, and what is none of these is code: a bug may sit in a data or binary file that the code loads.

import { isTestInfrastructure, isTestPath } from '../arena/runners/index.ts'

export type PathKind = 'infrastructure' | 'test' | 'documentation' | 'code'

const documentNames: readonly RegExp[] = [
  /\.(?:md|mdx|markdown|rst|adoc|asciidoc)$/i, /^(?:readme|license|licence|copying|notice|authors|contributors|contributing|changelog|changes|history|news|security|code_of_conduct|citation)(?:\.[a-z]{2,4})?$/i,
  /^\.(?:gitignore|gitkeep|editorconfig|mailmap|dockerignore|npmignore|prettierrc|prettierignore|eslintrc|eslintignore)/, /^(?:CODEOWNERS|FUNDING\.ya?ml|MANIFEST\.in)$/
]
const documentFolders = new Set(['doc', 'docs', '.github', '.vscode', '.idea', '.gitlab', '.circleci'])

/** `arenaTests`: files that the arena knows to be tests, whatever their name. */
export function pathKind (path: string, arenaTests: ReadonlySet<string> = new Set()): PathKind {
  if (isTestInfrastructure(path)) return 'infrastructure'
  if (arenaTests.has(path) || isTestPath(path)) return 'test'
  const parts = path.split('/')
  const name = parts.at(-1)!
  const isDocument = documentFolders.has(parts.length > 1 ? parts[0]! : '') || documentNames.some(pattern => pattern.test(name))
  return isDocument ? 'documentation' : 'code'
}
