// What a submit takes out of the sandbox: the breaker's five files, the solver's diff. Only these bytes cross.

import { basename } from 'node:path/posix'
import type { ArtifactFiles, ToolCall } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Sandbox, SandboxFolders } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import { throwIfFull } from '../sandbox/room.ts'
import { bareGit } from '../verify/tree.ts'
import type { Submission } from './session.ts'

type Submit = Extract<ToolCall, { tool: 'submit' }>

export interface CollectLimits {
  /** Largest file of an artifact. */
  artifactBytesMax: number
  /** Largest diff of an attempt. */
  patchBytesMax: number
  /** Time that taking the diff may use. */
  diffMsMax: number
}

export const collectLimits: CollectLimits = { artifactBytesMax: 8 * 1024 * 1024, patchBytesMax: 8 * 1024 * 1024, diffMsMax: 60_000 }

const parts = ['testScript', 'testFiles', 'testParser', 'bugInject', 'testWeaken'] as const

export async function collectArtifact (sandbox: Sandbox, call: Submit, limits = collectLimits): Promise<Submission<ArtifactFiles>> {
  const missing = parts.filter(part => !call.paths?.[part])
  if (missing.length > 0) return { refused: `Cannot submit: no path was given for ${missing.join(', ')}.` }
  const files: Partial<Record<typeof parts[number], Uint8Array>> = {}
  for (const part of parts) {
    try {
      files[part] = await sandbox.readFile(call.paths![part]!, limits.artifactBytesMax)
    } catch (error) {
      if (!(error instanceof SparError) || error.retryable) throw error
      return { refused: `Cannot submit ${part}: ${error.message}` }
    }
  }
  return { kept: { ...files as Record<typeof parts[number], Uint8Array>, parserName: parserName(call.paths!['testParser']!), predPatch: null } }
}

/** The canonical name keeps only what says how the parser runs: its ending. */
function parserName (path: string): string {
  const ending = /\.(py|js|mjs|cjs|sh)$/.exec(basename(path))?.[1]
  return ending ? `test_parser.${ending}` : 'test_parser'
}

/** Options that make a diff canonical: the same bytes whatever git's configuration says. */
export const canonicalDiff = '--no-renames --binary --full-index --no-ext-diff --no-textconv --no-color -U3 --src-prefix=a/ --dst-prefix=b/'

/** Where the diff of an attempt is written to. */
export const attemptFile = ({ scratch }: SandboxFolders): string => `${scratch}/spar-attempt.diff`

export const attemptCommand = (folders: SandboxFolders, base: string): string =>
  `(cd ${shellQuote(folders.tree)} && ${bareGit} add -A && ${bareGit} diff --cached ${canonicalDiff} ${base} > ${shellQuote(attemptFile(folders))})`

/** The diff of the solver's tree against its first commit; files that git ignores are no part of it. */
export async function collectPatch (sandbox: Sandbox, base: string, limits = collectLimits): Promise<Submission<Uint8Array>> {
  try {
    const result = await sandbox.exec(attemptCommand(sandbox, base), { timeoutMs: limits.diffMsMax, outputBytesMax: 64 * 1024 })
    if (result.exitCode !== 0) {
      await throwIfFull(sandbox, result)
      return { refused: `Cannot take the diff of the tree: ${Buffer.from(result.output).toString('utf8').slice(0, 500)}` }
    }
    return { kept: await sandbox.readFile(attemptFile(sandbox), limits.patchBytesMax) }
  } catch (error) {
    const code = error instanceof SparError ? error.code : null
    if (code === 'SANDBOX_FILE_TOO_LARGE') return { refused: `The diff is larger than ${limits.patchBytesMax} bytes.` }
    if (code === 'SANDBOX_DISK_LIMIT') return { refused: (error as SparError).message }
    throw error
  }
}
