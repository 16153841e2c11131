// Dependencies of a Node tree: what the package needs at run time, and of its development tree only what the tests, the
// sources and the runner's configuration name, because whole development trees of published packages often do not
// install. Installed beside the tree (npm would otherwise read its manifest) and moved in; no install scripts.

import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import type { RunnerName } from '../../domain.ts'
import { SparError } from '../../errors.ts'
import { npm, npmSummary } from '../npm.ts'
import { readAll } from '../runners/contents.ts'
import { importsOf } from '../runners/find-node.ts'
import { isTestPath } from '../runners/paths.ts'
import type { Installed, InstallRequest } from './types.ts'

interface Manifest {
  name?: string
  scripts?: Record<string, string>
  exports?: unknown
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** Package and range of a runner that the manifest does not name: newest majors that work on every supported Node. */
const runnerPackages: Partial<Record<RunnerName, readonly [string, string]>> = {
  tap: ['tap', '^18 || ^21'], tape: ['tape', '^5'], mocha: ['mocha', '^10 || ^11'], jest: ['jest', '^29 || ^30'], vitest: ['vitest', '^2 || ^3']
}
const typescriptLoader = ['tsx', '^4'] as const
const configFile = /^(\.mocharc.*|\.babelrc.*|\.taprc|\.swcrc|\.c8rc.*|(jest|vitest|vite|babel|mocha)\.(config|setup|preset|workspace)\..*|test\/mocha\.opts|tsconfig.*\.json|\.borp\.ya?ml)$/
const source = /\.[cm]?[jt]sx?$/
const aside = /(^|\/)(docs?|website|examples?|bench(mark)?s?|scripts|tools|coverage|\.github)\/|\.test-d\.[cm]?ts$|(^|\/)(bench(mark)?s?|examples?|gulpfile|gruntfile|build)\.[cm]?[jt]s$|\.config\.[cm]?[jt]s$/i
/** Ranges that only mean something in the author's checkout. */
const elsewhere = /^(workspace|file|link|portal|patch|catalog):|^\.{0,2}\//
const attemptsMax = 5

export async function installNode (request: InstallRequest): Promise<Installed> {
  const { tree, work, reader, limits, onProgress } = request
  const manifest = parseManifest(await reader.read('package.json'))
  const wanted = await wantedPackages(request, manifest)
  const notes: string[] = []
  if (wanted.size > 0) {
    onProgress(`installing ${wanted.size} packages: ${[...wanted.keys()].slice(0, 8).join(', ')}${wanted.size > 8 ? ', …' : ''}`)
    const folder = join(work, 'install')
    await mkdir(folder, { recursive: true })
    notes.push(...await installAll(folder, wanted, limits.installMsMax))
    await rm(join(folder, 'node_modules', '.package-lock.json'), { force: true })
    await rm(join(tree, 'node_modules'), { recursive: true, force: true })
    await rename(join(folder, 'node_modules'), join(tree, 'node_modules')).catch(async (error: NodeJS.ErrnoException) => { if (error.code !== 'ENOENT') throw error })
  }
  if (manifest.name !== undefined && !wanted.has(manifest.name)) await linkSelf(tree, manifest.name, request)
  return { mounts: [], path: [], env: {}, notes }
}

function parseManifest (text: string | null): Manifest {
  try { return (JSON.parse(text ?? '{}') ?? {}) as Manifest } catch { return {} }
}

async function wantedPackages ({ reader, found, testCommand }: InstallRequest, manifest: Manifest): Promise<Map<string, string>> {
  const { dependencies = {}, devDependencies = {}, peerDependencies = {}, optionalDependencies = {} } = manifest
  const known = new Map(Object.entries({ ...optionalDependencies, ...peerDependencies, ...devDependencies, ...dependencies }))
  const wanted = new Map<string, string>()
  const want = (name: string, range = known.get(name)): void => {
    if (range !== undefined && !elsewhere.test(range) && name !== manifest.name) wanted.set(name, range)
  }
  for (const name of Object.keys(dependencies)) want(name)

  const runner = runnerPackages[found.runner]
  if (runner !== undefined) {
    const names = runner[0] === 'jest' && known.has('jest-cli') ? ['jest-cli'] : [runner[0]]
    for (const name of names) want(name, known.get(name) ?? runner[1])
  }
  if (found.testFiles.some(path => /\.[cm]?tsx?$/.test(path)) && !['jest', 'vitest'].includes(found.runner)) want(...typescriptLoader)

  const all = await reader.list()
  const paths = all.filter(path => !aside.test(path))
  for (const { path, text } of await readAll(reader, paths.filter(path => source.test(path)).sort((one, other) => Number(isTestPath(other)) - Number(isTestPath(one))))) {
    for (const name of importsOf(text)) {
      const bare = packageOf(name)
      if (bare === null) continue
      // A test that imports what the manifest does not name gets the newest; a source may do so behind a try.
      if (known.has(bare)) want(bare)
      else if (found.testFiles.includes(path)) want(bare, '*')
    }
  }
  // Configuration names packages as plain words: presets, transforms, reporters, loaders.
  const words = [...(await readAll(reader, all.filter(path => configFile.test(path)))).map(({ text }) => text), manifestConfiguration(manifest, found.runner), testCommand ?? ''].join('\n')
  for (const name of known.keys()) if (new RegExp(`(^|["'\\s=:/])${name.replace(/[.*+?^$()[\]{}|\\/]/g, '\\$&')}(["'\\s/,]|$)`, 'm').test(words)) want(name)
  if (found.runner === 'jest' && known.has('ts-jest') && known.has('typescript') && wanted.has('ts-jest')) want('typescript')
  if (found.runner === 'vitest' && known.has('vite')) want('vite')
  return wanted
}

/** Parts of package.json that configure tools, and the script that runs the tests. */
function manifestConfiguration (manifest: Manifest, runner: RunnerName): string {
  const parts = ['jest', 'mocha', 'babel', 'tap', 'ava', 'vitest', 'c8'].map(key => (manifest as Record<string, unknown>)[key]).filter(part => part !== undefined)
  const word = new RegExp(`\\b${runner === 'node:test' ? 'node' : runner}\\b`)
  const scripts = Object.values(manifest.scripts ?? {}).flatMap(script => script.split(/&&|;|\|\|/)).filter(part => word.test(part))
  // Only what stands behind an option that loads something: the rest of a script is tools for people.
  const loaded = scripts.flatMap(script => [...script.matchAll(/(?:-r|--require|--import|--loader|--experimental-loader)[ =]["']?([^\s"']+)/g)].map(match => match[1]))
  return [...parts.map(part => JSON.stringify(part, null, 1)), ...loaded].join('\n')
}

/** Package of a bare module name; null for files, builtins, subpath imports and virtual modules. */
export function packageOf (name: string): string | null {
  if (/^[./#~]|^[a-z]+:|^@\//.test(name) || isBuiltin(name)) return null
  const match = /^(@[a-z0-9][\w.~-]*\/[a-z0-9][\w.~-]*|[A-Za-z0-9][\w.~-]*)(\/|$)/.exec(name)
  return match === null || isBuiltin(match[1]!) ? null : match[1]!
}

/** Installs; a package that the registry does not have is left out, said, and the rest tried again. */
async function installAll (folder: string, wanted: Map<string, string>, timeoutMs: number): Promise<string[]> {
  const notes: string[] = []
  const left = new Map(wanted)
  let options: string[] = []
  for (let attempt = 0; ; attempt++) {
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: Object.fromEntries(left) }))
    const result = await npm(['install', '--ignore-scripts', '--no-package-lock', '--prefer-offline', '--install-strategy=hoisted', ...options], folder, timeoutMs)
    if (result.code === 0) return notes
    const said = result.stdout + result.stderr
    const missing = /(?:'|")?((?:@[\w.~-]+\/)?[\w.~-]+)@[^\s'"]*(?:'|")? is not in this registry|No matching version found for ((?:@[\w.~-]+\/)?[\w.~-]+)@/.exec(said)
    const name = missing?.[1] ?? missing?.[2]
    if (attempt < attemptsMax && name !== undefined && left.delete(name)) notes.push(`${name} could not be installed: the registry does not have ${wanted.get(name)}`)
    else if (attempt < attemptsMax && options.length === 0 && /ERESOLVE/.test(said)) options = ['--legacy-peer-deps']
    else if (/ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|EIDLETIMEOUT/.test(said) || result.timedOut) {
      throw new SparError('ARENA_REGISTRY_UNREACHABLE', `Cannot install dependencies: ${result.timedOut ? 'npm ran out of time' : npmSummary(result)}. Check the network and npm's own configuration`, { retryable: true })
    } else {
      throw new SparError('ARENA_INSTALL_FAILED', `Cannot install what the tests need (${[...left.keys()].join(', ')}): ${npmSummary(result)}. Say how with --setup "npm install"`)
    }
  }
}

/** Tests that import the package by its name find the tree itself. */
async function linkSelf (tree: string, name: string, { reader, found }: InstallRequest): Promise<void> {
  const texts = await readAll(reader, found.testFiles)
  if (!texts.some(({ text }) => importsOf(text).some(imported => packageOf(imported) === name))) return
  if (!/^(@[a-z0-9][\w.~-]*\/)?[A-Za-z0-9][\w.~-]*$/.test(name)) return
  const link = join(tree, 'node_modules', name)
  await mkdir(dirname(link), { recursive: true })
  await symlink(name.includes('/') ? '../..' : '..', link).catch(() => {})
}
