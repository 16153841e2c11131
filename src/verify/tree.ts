// A tree in a sandbox: patches are applied by git there, away from any repository, so that neither hooks nor
// configuration nor attributes of a repository have a say. A patch that does not apply is the author's fault and is
// returned; what is the sandbox's fault is thrown.

import { readPatch, touchedPaths } from '../artifact/index.ts'
import { SparError } from '../errors.ts'
import type { ExecResult, Sandbox, SandboxFolders } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import type { VerifyLimits } from './limits.ts'
import type { NamedPatch } from './types.ts'

/** git without the configuration of anybody: system, user, repository. */
export const bareGit = 'GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_ATTR_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 LC_ALL=C ' +
  'git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.attributesFile=/dev/null -c core.excludesFile=/dev/null -c core.autocrlf=false -c core.quotePath=true'

const linkExit = 97

/** Applies a patch to the sandbox's tree, all of it or nothing. Returns null, or why it does not apply. */
export async function applyPatch (sandbox: Sandbox, patch: NamedPatch, limits: VerifyLimits, signal?: AbortSignal): Promise<string | null> {
  const files = readPatch(patch.bytes)
  if (files.length === 0) return patch.bytes.length === 0 ? null : 'it holds no file of a git diff'
  const command = applyCommand(sandbox, files.flatMap(touchedPaths))
  const result = await execGit(sandbox, command, limits, signal, patch.bytes)
  if (result.exitCode === 0) return null
  return Buffer.from(result.output).toString('utf8').trim().slice(0, 2000) || `git apply exits with ${result.exitCode}`
}

/**
 * The patch comes on standard input: no later command of the sandbox finds it. git would write a link's target anew when
 * the patch names a link without its mode, so links are refused first. Where the tree has attributes and the patch does not
 * fit as it is, the second try honours them (a diff has line feeds where `eol=crlf` puts carriage returns into the files);
 * only there it is kept in a file, for the call.
 */
export function applyCommand (folders: SandboxFolders, paths: readonly string[]): string {
  const [tree, patch, repository] = [folders.tree, `${folders.scratch}/.apply`, `${folders.scratch}/.apply.git`].map(shellQuote)
  const apply = 'apply --whitespace=nowarn --'
  return `( cd -- ${tree} || exit 96
    for path in ${paths.map(path => shellQuote(`./${path}`)).join(' ')}; do [ -L "$path" ] && { echo "error: $path: is a symbolic link"; exit ${linkExit}; }; done
    [ -f .gitattributes ] || { GIT_DIR=/dev/null ${bareGit} ${apply} -; exit; }
    cat > ${patch} || exit 96
    GIT_DIR=/dev/null ${bareGit} ${apply} ${patch} && code=0 || { code=$?
      ${bareGit} init -q --bare --template= ${repository} && GIT_DIR=${repository} GIT_WORK_TREE=. ${bareGit} ${apply} ${patch} > /dev/null 2>&1 && code=0; }
    rm -rf ${patch} ${repository}
    exit $code )`
}

/** Paths of the tree as commands of ours read them from standard input: a NUL behind each. */
export const pathsAsInput = (paths: readonly string[]): Uint8Array => Buffer.from(paths.map(path => `./${path}\0`).join(''))

export async function writeFiles (sandbox: Sandbox, files: Iterable<readonly [path: string, bytes: Uint8Array]>): Promise<void> {
  for (const [path, bytes] of files) await sandbox.writeFile(path, bytes)
}

/** Runs a git command of ours; throws where the fault is not the patch's. */
export async function execGit (sandbox: Sandbox, command: string, limits: VerifyLimits, signal?: AbortSignal, stdin?: Uint8Array): Promise<ExecResult> {
  const result = await sandbox.exec(command, { timeoutMs: limits.gitMsMax, outputBytesMax: 2 ** 20, ...(signal ? { signal } : {}), ...(stdin ? { stdin } : {}) })
  throwIfAborted(result, signal)
  const output = Buffer.from(result.output).toString('utf8')
  if (result.killed !== null) throw new SparError('VERIFY_GIT_KILLED', `Cannot run git in sandbox ${sandbox.id}: it was killed (${result.killed})`, { retryable: true })
  if (result.exitCode === 127) throw new SparError('SANDBOX_NO_GIT', `Cannot apply a patch in sandbox ${sandbox.id}: it has no git. Use an image with git`, { data: { output } })
  if (result.exitCode === 96 || /No space left on device|Disk quota exceeded|Read-only file system/.test(output)) throw new SparError('SANDBOX_DISK_FULL', `Cannot write to sandbox ${sandbox.id}: ${output.trim().slice(0, 300)}`, { retryable: true })
  return result
}

/** A deadline or the memory limit ended it: the doing of what ran, or of the machine. */
export const isStruck = ({ killed }: Pick<ExecResult, 'killed'>): boolean => killed === 'timeout' || killed === 'memory'

/** What strikes once may be the machine's doing; what strikes twice is that of what ran. */
export async function confirmed<Ran extends Pick<ExecResult, 'killed'>> (run: (isAgain: boolean) => Promise<Ran>): Promise<Ran> {
  const first = await run(false)
  return isStruck(first) ? await run(true) : first
}

/** Our own abort is never a result. */
export function throwIfAborted (result: ExecResult, signal?: AbortSignal): void {
  if (result.killed === 'abort' || signal?.aborted) throw new SparError('ABORTED', 'Cannot finish a command: the work was cancelled', { retryable: true })
}
