// Node: an import of a runner in a test file says which one; tests that use describe/it as globals belong to the runner
// that package.json runs or depends on. A file that reaches its runner through a helper beside it counts as the helper's.

import { posix } from 'node:path'
import type { RunnerName } from '../../domain.ts'
import { inFolder, readAll } from './contents.ts'
import { isTestPath } from './paths.ts'
import type { FoundRunner, TreeReader } from './types.ts'

type NodeRunner = Extract<RunnerName, 'node:test' | 'tap' | 'tape' | 'mocha' | 'jest' | 'vitest'>
type Kind = NodeRunner | 'globals' | 'unknown' | 'none'

/** Packages whose import decides. Those of `unknown` are runners that the table lacks. */
const imports: readonly [Exclude<Kind, 'globals' | 'none'>, RegExp][] = [
  ['node:test', /^(node:test|test)$/],
  ['vitest', /^(vitest|@vitest\/.*)$/],
  ['jest', /^@jest\/globals$/],
  ['mocha', /^mocha$/],
  ['tape', /^(tape|tape-catch|tape-promise|blue-tape|tape-async|tapes|tape-eslint|@ljharb\/tape)(\/.*)?$/],
  ['tap', /^(tap|libtap|@tapjs\/(core|test))$/],
  ['unknown', /^(ava|uvu|qunit|lab|@hapi\/lab|jasmine|bun:test|@playwright\/test|cypress|@japa\/.*|zora|brittle|tehanu|@substrate-system\/tapzero)$/]
]
const left = new Set(['dist', 'build', 'coverage', 'vendor', 'example', 'examples', 'fixtures', '__fixtures__', 'testdata', '__mocks__', 'bench', 'benchmark', 'benchmarks', 'bower_components'])
const built = new Set(['dist', 'build', 'lib'])
const source = /\.[cm]?[jt]sx?$/
const extensions = ['', '.js', '.cjs', '.mjs', '.ts', '.mts', '.cts', '.tsx', '/index.js', '/index.ts']

export async function findNode (tree: TreeReader, paths: readonly string[]): Promise<FoundRunner | null> {
  const sources = paths.filter(path => source.test(path) && !/\.d\.[cm]?ts$|\.test-d\.[cm]?ts$|\.bench\.|\.config\./.test(path) && isTestPath(path))
  const own = sources.filter(path => !inFolder(path, left))
  const candidates = own.length > 0 ? own : sources.filter(path => path.split('/').some(part => built.has(part)))
  if (candidates.length === 0) return null
  const files = await readAll(tree, candidates)
  const texts = new Map(files.map(({ path, text }) => [path, text]))
  const manifest = readManifest(await tree.read('package.json'))

  const kinds = new Map<string, Kind>()
  for (const { path, text } of files) kinds.set(path, kindOf(path, text, texts))
  const globals = globalRunner(manifest, [...kinds.values()])
  const groups = new Map<NodeRunner, string[]>()
  for (const [path, kind] of kinds) {
    const runner = kind === 'globals' ? globals?.runner : kind
    if (runner === undefined || runner === 'none' || runner === 'unknown') continue
    groups.set(runner, [...groups.get(runner) ?? [], path])
  }
  const best = [...groups].sort((one, other) => other[1].length - one[1].length)[0]
  if (best === undefined) return null
  const [runner, testFiles] = best
  const byImport = testFiles.find(path => kinds.get(path) === runner)
  const evidence = byImport === undefined ? globals!.evidence : `${byImport} imports ${runner}`
  return { runner, ecosystem: 'node', evidence, testFiles }
}

function kindOf (path: string, text: string, texts: ReadonlyMap<string, string>): Kind {
  const direct = importedRunner(text)
  if (!holdsTests(text, direct)) return 'none'
  if (direct !== null) return direct
  for (const name of importsOf(text)) {
    if (!name.startsWith('.')) continue
    const base = posix.join(posix.dirname(path), name)
    const helper = extensions.map(extension => texts.get(base + extension)).find(found => found !== undefined)
    const through = helper === undefined ? null : importedRunner(helper)
    if (through !== null) return through
  }
  return /\b(describe|it|test|suite|specify)\s*(\.\w+\s*)*[(`]/.test(text) ? 'globals' : 'none'
}

function holdsTests (text: string, runner: Kind | null): boolean {
  if (/\b(test|it|describe|suite|specify|tape|tap)\s*(\.\w+\s*)*[(`]/.test(text)) return true
  if (runner === 'tap') return /\bt\.\w+\s*\(/.test(text)
  // The import may have any name: `const t = require('tape'); t('name', …)`.
  const name = /(?:const|let|var|import)\s+(\w+)\s*(?:=\s*require\(|from)\s*['"](?:node:test|tape|tap)['"]/.exec(text)?.[1]
  return name !== undefined && new RegExp(`\\b${name}\\s*(\\.\\w+\\s*)*\\(`).test(text.slice(text.indexOf(name) + name.length))
}

function importedRunner (text: string): Exclude<Kind, 'globals' | 'none'> | null {
  const names = importsOf(text)
  for (const [runner, pattern] of imports) {
    // `test` without a scheme is an npm package; node's own needs the scheme.
    if (names.some(name => name !== 'test' && pattern.test(name))) return runner
  }
  return null
}

/** Module names in import, export … from, require and dynamic import. */
export function importsOf (text: string): string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*|\brequire\s*\(\s*|\bimport\s*\(\s*|\brequire\.resolve\s*\(\s*)(['"])([^'"\n]+)\1/g
  return [...new Set([...text.matchAll(pattern)].map(match => match[2]!))]
}

interface Manifest { scripts: string; dependencies: ReadonlySet<string> }

function readManifest (text: string | null): Manifest {
  try {
    const manifest = JSON.parse(text ?? '{}') as Record<string, Record<string, string> | undefined>
    const scripts = Object.entries(manifest.scripts ?? {}).filter(([name]) => /test|unit|spec|^ci$|check/.test(name)).map(([, script]) => script)
    const keys = ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'].flatMap(key => Object.keys(manifest[key] ?? {}))
    return { scripts: scripts.join('\n'), dependencies: new Set([...keys, ...manifest.jest === undefined ? [] : ['jest']]) }
  } catch {
    return { scripts: '', dependencies: new Set() }
  }
}

/** Whose globals describe, it and test are. */
function globalRunner (manifest: Manifest, kinds: readonly Kind[]): { runner: NodeRunner; evidence: string } | null {
  const table: readonly [NodeRunner, RegExp][] = [['vitest', /\bvitest\b/], ['jest', /\bjest\b|react-scripts test/], ['mocha', /\b_?mocha\b/]]
  for (const [runner, pattern] of table) if (pattern.test(manifest.scripts)) return { runner, evidence: `package.json runs ${runner} in its test script` }
  for (const [runner] of table) if (manifest.dependencies.has(runner)) return { runner, evidence: `package.json depends on ${runner}` }
  for (const [runner] of table) if (kinds.includes(runner)) return { runner, evidence: `test files import ${runner}` }
  return null
}
