// What `spar verify`, `spar grade` and `spar reverify` share: a bug folder, the arena that it is played on, and sandboxes of it.

import { resolve } from 'node:path'
import { superviseSandboxes } from '../../actors/sandbox.ts'
import { readArtifact, type Artifact } from '../artifact/index.ts'
import { openArena } from '../arena/open.ts'
import { systemClock } from '../clock.ts'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Sandboxes } from '../ports.ts'
import { createSandboxes } from '../sandbox/index.ts'
import { verifyPorts } from '../verify/ports.ts'
import type { VerifyPorts } from '../verify/types.ts'
import { sandboxesFor, type SandboxValues } from './parse.ts'
import { sparHome, type Io } from './command.ts'

export interface OpenedBug { artifact: Artifact; arena: Arena; ports: VerifyPorts }

export interface BugOptions extends SandboxValues { target?: string | undefined; setup?: string | undefined; test?: string | undefined }

/** Opens bug and arena, hands both to `use`, and closes everything again. */
export async function withBug<Result> (dir: string, options: BugOptions, io: Io, use: (opened: OpenedBug) => Promise<Result>): Promise<Result> {
  const artifact = await readArtifact(resolve(dir))
  const target = options.target ?? artifact.manifest?.arena.target
  if (target === undefined) throw new SparError('BUG_WITHOUT_TARGET', `Cannot tell what ${dir} is a bug of: it has no manifest.json. Name the repository with --target.`)
  return await withSandboxes(options, target, async (sandboxes, ports) => await use({ artifact, arena: await arenaOf(artifact, target, options, sandboxes, io), ports }))
}

/** Opens the sandboxes for a target and what verification needs beside them, and closes them again. */
export async function withSandboxes<Result> (values: SandboxValues, target: string, use: (sandboxes: Sandboxes, ports: VerifyPorts) => Promise<Result>): Promise<Result> {
  const sandboxes = superviseSandboxes(await createSandboxes({ ...sandboxesFor(values, target), home: sparHome() }))
  try {
    await sandboxes.reap()
    return await use(sandboxes, verifyPorts(sandboxes))
  } finally {
    await sandboxes.close()
  }
}

async function arenaOf (artifact: Artifact, target: string, options: BugOptions, sandboxes: Sandboxes, io: Io): Promise<Arena> {
  const testCommand = options.test ?? (options.target === undefined ? artifact.manifest?.arena.testCommand : null)
  const arena = await openArena({
    target, home: sparHome(), sandboxKind: sandboxes.kind, onProgress: (line: string) => io.err(line),
    ...(options.setup === undefined ? {} : { setup: options.setup }), ...(testCommand ? { test: testCommand } : {})
  }, { sandboxes, clock: systemClock })
  const expected = options.target === undefined ? artifact.manifest?.arena.commit : undefined
  if (expected !== undefined && arena.commit !== expected) {
    throw new SparError('ARENA_COMMIT_DIFFERS', `Cannot check this bug on ${target}: it was made at commit ${expected.slice(0, 12)}, the target is at ${arena.commit.slice(0, 12)} now. Name the right one with --target.`)
  }
  return arena
}
