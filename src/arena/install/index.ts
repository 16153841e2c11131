// Installs what an arena's tests need: by ecosystem, or with the user's own `--setup` command.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arena } from '../../domain.ts'
import type { Clock, Sandboxes } from '../../ports.ts'
import type { ArenaLimits } from '../limits.ts'
import type { FoundRunner, TreeReader } from '../runners/types.ts'
import { removeAll } from '../store.ts'
import { installGo } from './go.ts'
import { installNode } from './node.ts'
import { installPython } from './python.ts'
import { runSetup } from './setup.ts'
import type { Installed } from './types.ts'

export interface EnvironmentRequest {
  /** As it is so far, at its last place. */
  arena: Arena
  found: FoundRunner
  reader: TreeReader
  tracked: readonly string[]
  setup: string | null
  limits: ArenaLimits
  onProgress (line: string): void
  ports: { sandboxes: Sandboxes; clock: Clock }
  signal: AbortSignal | null
}

export async function install (request: EnvironmentRequest): Promise<Installed> {
  const { arena, found, reader, limits, onProgress } = request
  const work = join(arena.dir, 'work')
  const env = join(arena.dir, 'env')
  await mkdir(work, { recursive: true })
  await mkdir(env, { recursive: true })
  try {
    const common = { tree: join(arena.dir, 'tree'), env, work, reader, found, testCommand: arena.testCommand, limits, onProgress }
    if (request.setup !== null) return await runSetup(request, request.setup, common)
    if (found.ecosystem === 'node') return await installNode(common)
    return found.ecosystem === 'python' ? await installPython(common) : await installGo(common)
  } finally {
    await removeAll(work)
  }
}
