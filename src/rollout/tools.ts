// The four tools of a rollout, carried out in its sandbox: bash, edit, create; `submit` is the rollout's own affair
// (see collect.ts). What a tool could not do is told to the policy as text with exit code 1; only a sandbox that was
// lost throws, and one whose disk is full: whose fault that is cannot be seen, so it is nobody's.

import type { ToolCall } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Sandbox } from '../ports.ts'
import { assertRoom, saysFull } from '../sandbox/room.ts'

export interface ToolLimits {
  /** Deadline of one bash command. CWM's limit is 120 s. */
  commandMsMax: number
  /** Bytes of output a result carries: CWM's 32,768 tokens at four bytes each. */
  outputBytesMax: number
  /** Largest file that `edit` opens and `create` writes. */
  fileBytesMax: number
}

export const toolLimits: ToolLimits = { commandMsMax: 120_000, outputBytesMax: 131_072, fileBytesMax: 4 * 1024 * 1024 }

export interface ToolResult { exitCode: number | null; text: string; truncatedBytes: number; timedOut: boolean }

export async function executeTool (
  sandbox: Sandbox, call: Exclude<ToolCall, { tool: 'submit' }>, limits: ToolLimits, signal?: AbortSignal
): Promise<ToolResult> {
  try {
    if (call.tool === 'bash') return await runBash(sandbox, call.command, limits, signal)
    if (call.tool === 'create') return await createFile(sandbox, call.path, call.content, limits)
    return await editFile(sandbox, call, limits)
  } catch (error) {
    if (!(error instanceof SparError) || !told.has(error.code)) throw error
    if (error.code === 'SANDBOX_WRITE_FAILED') await assertRoom(sandbox, signal)
    return refused(error.message)
  }
}

/** Faults of the request, not of the sandbox. */
const told = new Set(['SANDBOX_NO_FILE', 'SANDBOX_FILE_TOO_LARGE', 'SANDBOX_WRITE_FAILED', 'SANDBOX_BAD_PATH', 'SANDBOX_DISK_LIMIT'])

const refused = (text: string): ToolResult => ({ exitCode: 1, text, truncatedBytes: 0, timedOut: false })
const accepted = (text: string): ToolResult => ({ exitCode: 0, text, truncatedBytes: 0, timedOut: false })

async function runBash (sandbox: Sandbox, command: string, limits: ToolLimits, signal?: AbortSignal): Promise<ToolResult> {
  if (command.includes('\0')) return refused('A command cannot hold a NUL byte.')
  const result = await sandbox.exec(command, {
    timeoutMs: limits.commandMsMax, outputBytesMax: limits.outputBytesMax, ...(signal ? { signal } : {})
  })
  if (result.killed === 'abort') throw new SparError('ROLLOUT_ABORTED', 'The rollout was aborted while a command ran', { retryable: true })
  const text = Buffer.from(result.output).toString('utf8')
  if (result.killed !== 'disk' && saysFull(text)) await assertRoom(sandbox, signal)
  return { exitCode: result.exitCode, text: text + ending(result.killed, result.truncatedBytes, limits), truncatedBytes: result.truncatedBytes, timedOut: result.killed === 'timeout' }
}

function ending (killed: string | null, truncatedBytes: number, limits: ToolLimits): string {
  const cut = truncatedBytes > 0 ? `\n[${truncatedBytes} bytes of output were left out of the middle]` : ''
  if (killed === 'timeout') return `${cut}\n[killed after ${limits.commandMsMax / 1000} s; the shell was started anew]`
  if (killed === 'output') return `${cut}\n[killed: too much output; the shell was started anew]`
  if (killed === 'memory') return `${cut}\n[killed: out of memory; the shell was started anew]`
  if (killed === 'disk') return `${cut}\n[killed: too much on the disk; the sandbox was ended and its files are gone]`
  return cut
}

async function createFile (sandbox: Sandbox, path: string, content: string, limits: ToolLimits): Promise<ToolResult> {
  const bytes = Buffer.from(content)
  if (bytes.length > limits.fileBytesMax) return refused(`Cannot create ${path}: ${bytes.length} bytes, the limit is ${limits.fileBytesMax}.`)
  await sandbox.writeFile(path, bytes)
  return accepted(`Wrote ${bytes.length} bytes to ${path}.`)
}

/** Works on bytes (as latin-1 text), so that a file in any encoding keeps every byte that is not edited. */
async function editFile (sandbox: Sandbox, call: { path: string; search: string; replace: string }, limits: ToolLimits): Promise<ToolResult> {
  const text = Buffer.from(await sandbox.readFile(call.path, limits.fileBytesMax)).toString('latin1')
  const search = bytesAsText(call.search)
  if (search === '') return refused('The search text is empty.')
  const places = wholeLineMatches(text, search)
  if (places.length !== 1) {
    return refused(places.length === 0
      ? `The search text does not match whole lines of ${call.path}.`
      : `The search text matches ${places.length} places of ${call.path}; it must match exactly once. Add lines around it.`)
  }
  const edited = text.slice(0, places[0]) + bytesAsText(call.replace) + text.slice(places[0]! + search.length)
  await sandbox.writeFile(call.path, Buffer.from(edited, 'latin1'))
  return accepted(`Edited ${call.path}.`)
}

const bytesAsText = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

/** Offsets at which `search` covers whole lines: it begins a line and ends one (before or with the line's end). */
export function wholeLineMatches (text: string, search: string): number[] {
  const places: number[] = []
  for (let at = text.indexOf(search); at !== -1; at = text.indexOf(search, at + 1)) {
    const end = at + search.length
    const beginsLine = at === 0 || text[at - 1] === '\n'
    const endsLine = search.endsWith('\n') || end === text.length || text[end] === '\n' || text.startsWith('\r\n', end)
    if (beginsLine && endsLine) places.push(at)
  }
  return places
}
