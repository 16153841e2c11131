// The original test files, kept aside before any patch touches the tree and put back before the script runs. They stay
// inside the sandbox: nothing that a model wrote runs in between, only git.

import { SparError } from '../errors.ts'
import type { Sandbox, SandboxFolders } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import type { VerifyLimits } from './limits.ts'
import { execGit, pathsAsInput } from './tree.ts'

const folder = ({ scratch }: SandboxFolders): string => shellQuote(`${scratch}/.originals`)

/** Paths come on standard input, with a NUL behind each. */
export const keepCommand = (folders: SandboxFolders): string =>
  `( mkdir -p ${folder(folders)} && cd -- ${shellQuote(folders.tree)} && xargs -0 cp -a --parents -t ${folder(folders)} -- )`

export const restoreCommand = (folders: SandboxFolders): string =>
  `( cp -a ${folder(folders)}/. ${shellQuote(folders.tree)}/ && rm -rf ${folder(folders)} )`

export async function keepTestFiles (sandbox: Sandbox, testFiles: readonly string[], limits: VerifyLimits, signal?: AbortSignal): Promise<void> {
  await run(sandbox, keepCommand(sandbox), limits, signal, pathsAsInput(testFiles))
}

export async function restoreTestFiles (sandbox: Sandbox, limits: VerifyLimits, signal?: AbortSignal): Promise<void> {
  await run(sandbox, restoreCommand(sandbox), limits, signal)
}

async function run (sandbox: Sandbox, command: string, limits: VerifyLimits, signal?: AbortSignal, stdin?: Uint8Array): Promise<void> {
  const { exitCode, output } = await execGit(sandbox, command, limits, signal, stdin)
  if (exitCode !== 0) throw new SparError('GRADE_NO_TEST_FILES', `Cannot restore the test files in sandbox ${sandbox.id}: ${Buffer.from(output).toString('utf8').trim().slice(0, 500)}`)
}
