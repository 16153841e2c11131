// A small arena on disk for tests of sandboxes, and the same one as a Docker image made from spar-test:latest
// (deploy/test-image.sh).

import Docker from 'dockerode'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

import type { Arena } from '../../src/domain.ts'
import type { ExecOptions, ExecResult, Sandbox, SandboxSpec } from '../../src/ports.ts'
import { createProcessSandboxes, type ProcessSandboxes } from '../../src/sandbox/process/index.ts'
import type { Isolation } from '../../src/sandbox/process/launch.ts'

const git = (cwd: string, ...args: string[]): void => {
  execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=n@example.org', '-c', 'gc.auto=0', ...args], { cwd, stdio: 'pipe' })
}

/** Null where this host has no such isolation: the test is skipped, and fails in CI. */
export async function openIsolation (t: Test, home: string, isolation: Isolation): Promise<ProcessSandboxes | null> {
  try {
    const sandboxes = await createProcessSandboxes({ home, isolation })
    t.teardown(() => sandboxes.close())
    return sandboxes
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error
    t.pass('no such isolation here', { skip: error instanceof Error ? error.message : String(error) })
    return null
  }
}

/** Two commits over a few files; `tree` holds the files, `git` the history. */
export function makeArenaFolder (folder: string, files = 0): Arena {
  const dir = join(folder, 'arena, with: "odd" name')
  const repository = join(dir, 'git')
  mkdirSync(join(repository, 'sub'), { recursive: true })
  mkdirSync(join(dir, 'tree'))
  // PATH has no way to write a colon.
  const env = join(folder, 'an env')
  mkdirSync(join(env, 'bin'), { recursive: true })
  writeFileSync(join(env, 'bin', 'arena-tool'), '#!/bin/sh\necho tool of the arena\n', { mode: 0o755 })
  git(repository, 'init', '-q', '-b', 'main')
  for (const text of ['first\n', 'second\n']) {
    writeFileSync(join(repository, 'a.txt'), text)
    writeFileSync(join(repository, 'sub', 'b.txt'), text)
    for (let index = 0; index < files; index++) {
      mkdirSync(join(repository, `many/${index % 100}`), { recursive: true })
      writeFileSync(join(repository, `many/${index % 100}/${index}.txt`), `${index} ${text}`)
    }
    git(repository, 'add', '-A')
    git(repository, 'commit', '-q', '-m', text.trim())
  }
  for (const name of readdirSync(repository)) if (name !== '.git') renameSync(join(repository, name), join(dir, 'tree', name))
  return {
    id: 'a'.repeat(16),
    target: 'fixture',
    name: 'fixture',
    commit: '0'.repeat(40),
    tree: '0'.repeat(40),
    image: null,
    imagePath: null,
    dir,
    ecosystem: 'python',
    runner: 'custom',
    testCommand: null,
    mounts: [env],
    path: [join(env, 'bin')],
    env: { FIXTURE: 'at {tree}' },
    testFiles: [],
    commits: 2
  }
}

export const testImage = 'spar-test:latest'

/** The engine with the test image, or why there is none. */
export async function findTestEngine (): Promise<{ docker: Docker } | { reason: string }> {
  const docker = new Docker()
  try { await docker.ping() } catch { return { reason: 'no Docker engine answers' } }
  try { await docker.getImage(testImage).inspect() } catch { return { reason: `${testImage} is missing: run deploy/test-image.sh` } }
  return { docker }
}

/** The arena as an image: its tree with .git at /testbed, its tool on PATH. Returns the digest. */
export async function makeArenaImage (docker: Docker, arena: Arena): Promise<{ arena: Arena; remove: () => Promise<void> }> {
  const container = await docker.createContainer({ Image: testImage, Cmd: ['true'], NetworkDisabled: true })
  try {
    const put = async (from: string, path: string): Promise<void> => {
      const tar = execFileSync('tar', ['-c', '--owner=0', '--group=0', '-C', from, '.'], { maxBuffer: 2 ** 28 })
      await container.putArchive(tar, { path })
    }
    await put(join(arena.dir, 'tree'), '/testbed')
    await put(join(arena.dir, 'git'), '/testbed')
    await put(arena.path[0]!, '/usr/local/bin')
    const { Id: image } = await container.commit({ repo: 'spar-test-arena', tag: String(process.pid) }) as { Id: string }
    return {
      arena: { ...arena, image, imagePath: '/testbed', mounts: [], path: [] },
      remove: async () => { await docker.getImage(image).remove({ force: true }) }
    }
  } finally { await container.remove({ force: true }) }
}

export function specOf (arena: Arena, view: SandboxSpec['view'] = 'tree', limits?: SandboxSpec['limits']): SandboxSpec {
  return { arena, view, network: 'none', label: { run: 'test', purpose: 'contract' }, ...(limits === undefined ? {} : { limits }) }
}

/** Runs a command with limits that a test does not care about. */
export async function run (sandbox: Sandbox, command: string, options: Partial<ExecOptions> = {}): Promise<ExecResult & { text: string }> {
  const result = await sandbox.exec(command, { timeoutMs: 30_000, outputBytesMax: 1_000_000, ...options })
  return { ...result, text: Buffer.from(result.output).toString() }
}
