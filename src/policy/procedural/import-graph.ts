// The files that a test file imports, and what they import: the poor man's coverage, by the text of import lines alone.
// What does not fit: computed paths, aliases of bundlers and packages that import themselves by name.

import { posix } from 'node:path'
import type { Play } from './session.ts'
import type { ToolTree } from './tree.ts'

const filesMax = 200

/** Paths in the tree that `start` reaches, without `start` itself. */
export async function * importedFiles (tree: ToolTree, start: string): Play<string[]> {
  const known = new Set(yield * tree.list())
  const reached = new Set<string>([start])
  let fresh = [start]
  while (fresh.length > 0 && reached.size < filesMax) {
    const texts = yield * tree.read(fresh, 'I read what the tests import, to see which code they cover.')
    const next = [...texts].flatMap(([path, text]) => text === null ? [] : targets(path, text, known)).filter(path => !reached.has(path))
    fresh = [...new Set(next)]
    for (const path of fresh) reached.add(path)
  }
  reached.delete(start)
  return [...reached].sort()
}

function targets (path: string, text: string, known: ReadonlySet<string>): string[] {
  return path.endsWith('.py') ? pythonTargets(path, text, known) : scriptTargets(path, text, known)
}

const endings = ['', '.js', '.ts', '.mjs', '.cjs', '.mts', '.cts', '.jsx', '.tsx', '/index.js', '/index.ts', '/index.mjs', '/index.cjs']

function scriptTargets (path: string, text: string, known: ReadonlySet<string>): string[] {
  const names = [...text.matchAll(/(?:from|import|require\()\s*\(?\s*['"](\.{1,2}(?:\/[^'"]*)?)['"]/g)].map(match => match[1]!)
  return names.flatMap(name => {
    const base = posix.normalize(posix.join(posix.dirname(path), name)).replace(/\/$/, '')
    // TypeScript sources are imported by the name of what they compile to.
    const bases = [base, base.replace(/\.([cm]?)js(x?)$/, '.$1ts$2')]
    const inRoot = base === '.' ? ['index.js', 'index.ts', 'index.mjs'] : []
    const found = [...bases.flatMap(one => endings.map(ending => one + ending)), ...inRoot].find(candidate => known.has(candidate))
    return found === undefined ? [] : [found]
  })
}

function pythonTargets (path: string, text: string, known: ReadonlySet<string>): string[] {
  const found = new Set<string>()
  for (const [, from, names, plain] of text.matchAll(/^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]+))/gm)) {
    const modules = from !== undefined
      ? [from, ...[...(names ?? '').matchAll(/\w+/g)].map(([name]) => `${from.replace(/\.$/, '.')}${from.endsWith('.') ? '' : '.'}${name}`)]
      : (plain ?? '').split(',').map(part => part.trim().split(/\s/)[0] ?? '')
    for (const module of modules) for (const file of moduleFiles(path, module)) if (known.has(file)) found.add(file)
  }
  return [...found]
}

function moduleFiles (path: string, module: string): string[] {
  const dots = /^\.*/.exec(module)![0].length
  const rest = module.slice(dots).split('.').filter(part => part !== '').join('/')
  const folders = dots === 0 ? ['', 'src/', 'lib/'] : [`${posix.join(posix.dirname(path), '../'.repeat(dots - 1))}/`]
  return folders.flatMap(folder => [`${rest}.py`, `${rest}/__init__.py`].map(file => posix.normalize(folder + file)))
}
