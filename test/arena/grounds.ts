// Opens arenas for tests: a home of its own outside of this checkout (a folder in a repository is no stranger to git), real
// sandboxes, and small repositories made on the spot.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { openArena, type OpenOptions } from '../../src/arena/open.ts'
import { systemClock } from '../../src/clock.ts'
import type { Arena } from '../../src/domain.ts'
import { createSandboxes } from '../../src/sandbox/index.ts'
import { cleanEnvironment, writeTree } from './support.ts'

export interface Grounds {
  root: string
  home: string
  /** Progress lines of everything that was opened. */
  lines: string[]
  open (target: string, options?: Partial<OpenOptions>): Promise<Arena>
  /** A repository with these commits, in a folder with an odd name. */
  repository (...commits: Record<string, string>[]): string
  /** The arena's tree with its history laid over it, as a sandbox shows it. */
  overlaid (arena: Arena): string
}

export async function makeGrounds (t: Test): Promise<Grounds> {
  const root = mkdtempSync(join(tmpdir(), 'spar-arena-test-'))
  const home = join(root, 'home')
  const sandboxes = await createSandboxes({ kind: 'process', home })
  t.teardown(async () => {
    await sandboxes.close()
    execFileSync('chmod', ['-R', 'u+rwX', root])
    rmSync(root, { recursive: true, force: true })
  })
  const lines: string[] = []
  let count = 0
  return {
    root,
    home,
    lines,
    open: (target, options = {}) => openArena({ target, home, sandboxKind: 'process', onProgress: line => lines.push(line), ...options }, { sandboxes, clock: systemClock }),
    repository: (...commits) => {
      const folder = join(root, `repository ü'${count++}`)
      mkdirSync(folder, { recursive: true })
      git(folder, 'init', '-q', '-b', 'trunk')
      for (const files of commits) {
        writeTree(folder, files)
        git(folder, 'add', '-A')
        git(folder, 'commit', '-q', '-m', 'x')
      }
      return folder
    },
    overlaid: arena => {
      const folder = mkdtempSync(join(root, 'overlaid-'))
      cpSync(join(arena.dir, 'tree'), folder, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
      cpSync(join(arena.dir, 'git'), folder, { recursive: true, preserveTimestamps: true })
      return folder
    }
  }
}

export const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=n@example.org', '-c', 'commit.gpgsign=false', ...args], { cwd, encoding: 'utf8', stdio: 'pipe', env: cleanEnvironment() }).trim()

/** A file of node:test with so many tests. */
export const nodeTests = (tests: number, body = ''): string => `const { test } = require('node:test')\nfor (let i = 0; i < ${tests}; i++) test('number ' + i, () => { ${body} })\n`
