// Files in and out of a sandbox through its shell: by commands of their own environment, so that nothing that the session
// did to its shell (functions, PATH, working folder) reaches them. Any file name, any bytes.

import { posix } from 'node:path'

import { SparError } from '../errors.ts'
import type { ExecOptions, ExecResult } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import { fileMsMax } from './limits.ts'

type Exec = (command: string, options: ExecOptions) => Promise<ExecResult>

const noFile = 44
const tooLarge = 45
const header = /^size (\d+)\n/

const readScript = `
[ -f "$1" ] || exit ${noFile}
size=$(stat -c %s -- "$1" 2>/dev/null || stat -f %z -- "$1") || exit ${noFile}
[ "$size" -le "$2" ] || exit ${tooLarge}
printf 'size %s\\n' "$size"
exec cat -- "$1" 2>/dev/null`

const writeScript = `
[ -e "$1" ] && [ ! -f "$1" ] && { echo 'it is a folder, or no file that could be written'; exit 1; }
umask 022
case $1 in */*) mkdir -p -- "\${1%/*}/" || exit 1;; esac
cat >"$1" || exit 1
[ "$2" = keep ] || exec chmod "$2" -- "$1"`

/** As a command line: a clean sh with the standard tools, arguments quoted. */
function inCleanShell (script: string, args: string[]): string {
  return ['/usr/bin/env', '-i', 'PATH=/usr/bin:/bin', 'LC_ALL=C', '/bin/sh', '-c', script, 'sh', ...args].map(shellQuote).join(' ')
}

function resolvePath (tree: string, path: string, code: string): string {
  if (path === '' || path.includes('\0')) throw new SparError(code, `Cannot use the path ${JSON.stringify(path)}: a path is a text without NUL and not empty`)
  return posix.isAbsolute(path) ? path : posix.join(tree, path)
}

export async function readSandboxFile (exec: Exec, tree: string, path: string, bytesMax: number): Promise<Uint8Array> {
  const command = inCleanShell(readScript, [resolvePath(tree, path, 'SANDBOX_NO_FILE'), String(bytesMax)])
  const read = async (): Promise<ExecResult> => await exec(command, { timeoutMs: fileMsMax, outputBytesMax: 2 * (bytesMax + 64) })
  const first = await read()
  // Who bends its shell, or floods beside it, loses that shell with the first read: the second has a new one, and nothing runs beside it.
  const result = first.killed === null || first.killed === 'disk' || first.killed === 'abort' ? first : await read()
  const name = JSON.stringify(path)
  throwIfOutgrown(result, name)
  if (result.killed !== null) throw new SparError('SANDBOX_LOST', `Cannot read ${name}: the read was killed (${result.killed})`, { retryable: true, data: { path } })
  if (result.exitCode === tooLarge) throw new SparError('SANDBOX_FILE_TOO_LARGE', `Cannot read ${name}: it is larger than ${bytesMax} bytes`, { data: { path, bytesMax } })
  const output = Buffer.from(result.output.buffer, result.output.byteOffset, result.output.byteLength)
  const size = header.exec(output.toString('latin1', 0, 32))
  const bytes = size === null ? null : output.subarray(size[0].length)
  if (result.exitCode !== 0 || bytes === null || bytes.length !== Number(size![1])) {
    throw new SparError('SANDBOX_NO_FILE', `Cannot read ${name}: there is no such file, or it cannot be read`, { data: { path } })
  }
  return new Uint8Array(bytes)
}

export async function writeSandboxFile (exec: Exec, tree: string, path: string, bytes: Uint8Array, mode: number | null): Promise<void> {
  const args = [resolvePath(tree, path, 'SANDBOX_WRITE_FAILED'), mode?.toString(8) ?? 'keep']
  const result = await exec(inCleanShell(writeScript, args), { timeoutMs: fileMsMax, outputBytesMax: 4096, stdin: bytes })
  if (result.exitCode === 0) return
  throwIfOutgrown(result, JSON.stringify(path))
  const why = result.killed === null ? Buffer.from(result.output).toString().trim() || `exit code ${result.exitCode}` : `killed: ${result.killed}`
  throw new SparError('SANDBOX_WRITE_FAILED', `Cannot write ${JSON.stringify(path)}: ${why}`, { data: { path } })
}

/** What was killed with its sandbox is no fault of the machine's. */
function throwIfOutgrown ({ killed }: ExecResult, name: string): void {
  if (killed === 'disk') throw new SparError('SANDBOX_DISK_LIMIT', `Cannot reach ${name}: its sandbox outgrew a disk limit and was ended`)
}
