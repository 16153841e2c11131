// Runs a program of the host (git, npm, pip, go) with a deadline and bounded output. Nothing of a target runs this way.

import { spawn } from 'node:child_process'
import { diskFull, SparError } from '../errors.ts'

export interface CommandOptions {
  cwd?: string
  env?: Record<string, string>
  input?: string
  timeoutMs: number
  signal?: AbortSignal
}

export interface CommandResult { code: number | null; stdout: string; stderr: string; timedOut: boolean }

const outputBytesMax = 64 * 2 ** 20

/** Variables that would make a tool work on this checkout instead of the target's. */
const foreign = /^(GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE|PREFIX|CONFIG.*)|npm_(package|lifecycle|command|execpath|node_execpath|config_(local_prefix|global|prefix|dry_run)).*|INIT_CWD|NODE_OPTIONS|NODE_PATH|PYTHON(HOME|PATH|STARTUP)|VIRTUAL_ENV|PIP_(TARGET|PREFIX|USER|REQUIRE_VIRTUALENV)|TAP.*)$/

export function hostEnvironment (): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined && !foreign.test(name)) env[name] = value
  return { ...env, LC_ALL: 'C.UTF-8', NO_COLOR: '1', GIT_TERMINAL_PROMPT: '0' }
}

/** Never rejects because of the program's exit code; ARENA_TOOL_MISSING when there is no such program, DISK_FULL when it says so. */
export function runCommand (file: string, args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], {
      cwd: options.cwd, env: { ...hostEnvironment(), ...options.env }, stdio: ['pipe', 'pipe', 'pipe'], detached: process.platform !== 'win32'
    })
    let timedOut = false
    const kill = (): void => { try { process.kill(-child.pid!, 'SIGKILL') } catch { child.kill('SIGKILL') } }
    const timer = setTimeout(() => { timedOut = true; kill() }, options.timeoutMs)
    options.signal?.addEventListener('abort', kill, { once: true })
    const outputs = [collect(child.stdout), collect(child.stderr)]
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    const done = (): void => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', kill)
    }
    child.on('error', (error: NodeJS.ErrnoException) => {
      done()
      reject(error.code === 'ENOENT'
        ? new SparError('ARENA_TOOL_MISSING', `Cannot run ${file}: it is not installed or not on PATH`, { data: { tool: file } })
        : error)
    })
    child.on('close', code => {
      done()
      if (options.signal?.aborted) return reject(options.signal.reason)
      const result = { code, stdout: outputs[0]!(), stderr: outputs[1]!(), timedOut }
      const full = code === 0 ? null : /^.*(?:No space left on device|ENOSPC|Disk quota exceeded).*$/m.exec(result.stderr)
      if (full !== null) return reject(diskFull(`${file}: ${full[0].trim()}`))
      resolve(result)
    })
  })
}

function collect (stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= outputBytesMax) chunks.push(chunk)
  })
  return () => Buffer.concat(chunks).toString('utf8')
}

/** The last lines of what a tool said, for an error message. */
export function lastLines ({ stdout, stderr }: Pick<CommandResult, 'stdout' | 'stderr'>, count = 4): string {
  const lines = `${stderr.trim() || stdout.trim()}`.split('\n').map(line => line.trim()).filter(line => line !== '')
  return lines.slice(-count).join(' | ').slice(0, 1000)
}
