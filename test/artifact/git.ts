// Git as the oracle of the patch tests: trees are made in a folder, diffs are git's own.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface Content { bytes: Buffer; executable?: boolean }
export type Files = Record<string, Content>

export const text = (content: string): Content => ({ bytes: Buffer.from(content) })

export function git (cwd: string, args: readonly string[], input?: Uint8Array): Buffer {
  const env = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_AUTHOR_NAME: 't', GIT_AUTHOR_EMAIL: 't@t', GIT_COMMITTER_NAME: 't', GIT_COMMITTER_EMAIL: 't@t' }
  return execFileSync('git', ['-c', 'core.autocrlf=false', '-c', 'core.safecrlf=false', ...args], { cwd, env, maxBuffer: 2 ** 28, stdio: ['pipe', 'pipe', 'pipe'], ...(input ? { input } : {}) })
}

export function writeFiles (dir: string, files: Files): void {
  for (const [path, { bytes, executable }] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), bytes)
    chmodSync(join(dir, path), executable ? 0o755 : 0o644)
  }
}

export function readFiles (dir: string, under = ''): Files {
  const files: Files = {}
  for (const entry of readdirSync(join(dir, under), { withFileTypes: true })) {
    const path = under === '' ? entry.name : `${under}/${entry.name}`
    if (entry.name === '.git') continue
    if (entry.isDirectory()) Object.assign(files, readFiles(dir, path))
    else files[path] = { bytes: readFileSync(join(dir, path)), ...((statSync(join(dir, path)).mode & 0o100) !== 0 ? { executable: true } : {}) }
  }
  return files
}

const canonical = ['--binary', '--full-index', '--no-ext-diff', '--no-textconv', '--no-color', '--src-prefix=a/', '--dst-prefix=b/']

/** git's diff from one set of files to another, and the same change backwards. */
export function diffOf (before: Files, after: Files, flags: readonly string[] = ['--no-renames']): { patch: Buffer; reversed: Buffer } {
  return inFolder(dir => {
    git(dir, ['init', '-q', '.'])
    const commit = (files: Files): string => {
      for (const name of readdirSync(dir)) if (name !== '.git') rmSync(join(dir, name), { recursive: true })
      writeFiles(dir, files)
      git(dir, ['add', '-A', '-f'])
      return git(dir, ['write-tree']).toString().trim()
    }
    const trees = [commit(before), commit(after)]
    const diff = (...extra: string[]): Buffer => git(dir, ['diff', ...canonical, ...flags, ...extra, ...trees])
    return { patch: diff(), reversed: diff('-R') }
  })
}

/** What git makes of the files when it applies the patch. */
export function applied (files: Files, patch: Uint8Array): Files {
  return inFolder(dir => {
    writeFiles(dir, files)
    execFileSync('git', ['apply', '--whitespace=nowarn', '-'], { cwd: dir, input: patch, stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, GIT_DIR: '/dev/null' } })
    return readFiles(dir)
  })
}

export function inFolder<Value> (use: (dir: string) => Value): Value {
  const dir = mkdtempSync(join(tmpdir(), 'spar-test-'))
  try {
    return use(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
