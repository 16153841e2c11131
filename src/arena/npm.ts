// Releases of an npm package, through npm itself, so that the user's registry, proxy and credentials hold. `npm pack` of a
// published version downloads and runs nothing.

import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SparError } from '../errors.ts'
import { lastLines, runCommand, type CommandResult } from './command.ts'
import type { ArenaLimits } from './limits.ts'

export interface PublishedRelease {
  version: string
  /** ISO date of publication. */
  date: string
}

export function npm (args: readonly string[], cwd: string, timeoutMs: number): Promise<CommandResult> {
  const [command = '', ...rest] = args
  return runCommand('npm', [command, '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error', '--no-progress', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=8000', ...rest], { cwd, timeoutMs })
}

/** Releases in the range in order of their versions, at most the newest `releasesMax`. */
export async function npmReleases (name: string, range: string, cwd: string, limits: ArenaLimits): Promise<PublishedRelease[]> {
  const [matching, times] = await Promise.all([
    npm(['view', '--json', '--', `${name}@${range}`, 'version'], cwd, limits.lookupMsMax),
    npm(['view', '--json', '--', name, 'time'], cwd, limits.lookupMsMax)
  ])
  if (matching.code !== 0) throw lookupError(name, range, matching)
  const versions = [parse<string | string[]>(matching.stdout) ?? []].flat()
  if (versions.length === 0) throw new SparError('ARENA_NO_RELEASES', `Cannot open npm:${name}@${range}: no release of ${name} is in that range. npm view ${name} versions lists them`)
  const dates = parse<Record<string, string>>(times.stdout) ?? {}
  return versions.sort(compareVersions).slice(-limits.releasesMax).map((version, index) => ({ version, date: dates[version] ?? new Date(index * 86_400_000).toISOString() }))
}

function lookupError (name: string, range: string, result: CommandResult): SparError {
  const said = result.stdout + result.stderr
  if (/ETARGET|No match(ing version)? found/i.test(said)) return new SparError('ARENA_NO_RELEASES', `Cannot open npm:${name}@${range}: no release of ${name} is in that range. npm view ${name} versions lists them`)
  if (/E404|EINVALIDPACKAGENAME/.test(said)) return new SparError('ARENA_NO_SUCH_PACKAGE', `Cannot open npm:${name}: the registry has no such package`)
  return registryError('npm', name, result)
}

export function registryError (registry: string, name: string, result: CommandResult): SparError {
  return new SparError('ARENA_REGISTRY_UNREACHABLE', `Cannot ask the ${registry} registry about ${name}: ${result.timedOut ? 'it does not answer in time' : npmSummary(result)}. Check the network and ${registry}'s own configuration`, { retryable: true })
}

const damaged = (name: string, result: CommandResult): SparError =>
  new SparError('ARENA_BAD_ARCHIVE', `Cannot take a release of ${name}: what the registry delivers is not what it states (${npmSummary(result)}). Try again, or ask another registry`)

/** npm's error lines without its log path, or the JSON form of them. */
export function npmSummary (result: CommandResult): string {
  const summary = /"summary": "([^"]*)"/.exec(result.stdout)?.[1]
  const lines = result.stderr.split('\n').filter(line => /^npm (error|ERR!)/i.test(line) && !/complete log|debug-\d/.test(line)).map(line => line.replace(/^npm (error|ERR!) ?/i, ''))
  return (summary || lines.slice(0, 6).join(' ').trim() || lastLines(result)).slice(0, 600)
}

function parse<T> (text: string): T | null {
  try { return JSON.parse(text) as T } catch { return null }
}

/** Order of semver; npm lists releases as they were published. */
export function compareVersions (one: string, other: string): number {
  const split = (version: string): { numbers: number[]; pre: string[] } => {
    const [core = '', pre = ''] = version.split('+')[0]!.split(/-(.*)/s)
    return { numbers: core.split('.').map(Number), pre: pre === '' ? [] : pre.split('.') }
  }
  const a = split(one)
  const b = split(other)
  for (let index = 0; index < 3; index++) {
    const difference = (a.numbers[index] ?? 0) - (b.numbers[index] ?? 0)
    if (difference !== 0) return difference
  }
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length
  for (let index = 0; index < Math.max(a.pre.length, b.pre.length); index++) {
    const x = a.pre[index]
    const y = b.pre[index]
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1
    if (x === y) continue
    const [p, q] = [/^\d+$/.test(x), /^\d+$/.test(y)]
    return p && q ? Number(x) - Number(y) : p !== q ? (p ? -1 : 1) : x < y ? -1 : 1
  }
  return 0
}

/** Tarballs of the versions, in their order. Two npm processes share the work: more would wait for the same cores. */
export async function npmTarballs (name: string, versions: readonly string[], folder: string, limits: ArenaLimits): Promise<Uint8Array[]> {
  await mkdir(folder, { recursive: true })
  const half = Math.ceil(versions.length / 2)
  const pack = async (some: readonly string[]): Promise<{ version: string; filename: string; size: number }[]> => {
    if (some.length === 0) return []
    const result = await npm(['pack', '--json', '--ignore-scripts', '--', ...some.map(version => `${name}@${version}`)], folder, limits.fetchMsMax)
    if (result.code !== 0) throw /EINTEGRITY/.test(result.stdout + result.stderr) ? damaged(name, result) : registryError('npm', name, result)
    return parse<{ version: string; filename: string; size: number }[]>(result.stdout) ?? []
  }
  const packed = (await Promise.all([pack(versions.slice(0, half)), pack(versions.slice(half))])).flat()
  return Promise.all(versions.map(async version => {
    const found = packed.find(one => one.version === version)
    if (found === undefined) throw new SparError('ARENA_REGISTRY_UNREACHABLE', `Cannot download ${name}@${version}: npm pack did not deliver it`, { retryable: true })
    if (found.size > limits.downloadBytesMax) throw new SparError('ARENA_BAD_ARCHIVE', `Cannot take ${name}@${version}: ${found.size} bytes are over downloadBytesMax = ${limits.downloadBytesMax}`)
    // npm writes scoped names with a dash, whatever its version says in the report.
    return readFile(join(folder, found.filename.replace(/^@/, '').replaceAll('/', '-')))
  }))
}
