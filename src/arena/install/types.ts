// What an installation needs to know and what it leaves.

import type { ArenaLimits } from '../limits.ts'
import type { FoundRunner, TreeReader } from '../runners/types.ts'

export interface InstallRequest {
  /** Host folders: the tree, the environment that is made, and a folder for what goes away. */
  tree: string
  env: string
  work: string
  reader: TreeReader
  found: FoundRunner
  /** The user's own command: what it names is installed too. */
  testCommand: string | null
  limits: ArenaLimits
  onProgress (line: string): void
}

/** How sandboxes see what was installed; parts of an Arena. */
export interface Installed {
  mounts: string[]
  path: string[]
  env: Record<string, string>
  /** What was left out, for the message when the tests do not pass. */
  notes: string[]
}
