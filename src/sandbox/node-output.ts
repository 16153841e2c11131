// Node writes to a pipe without waiting, and drops what its reader has not taken yet when it exits or crashes: how many results a log
// holds would depend on how busy this machine is. Runs of tests load a line first that makes it wait, as all other programs do.

import type { SandboxFolders } from '../ports.ts'
import { shellQuote } from '../quote.ts'

/** In the words of the oldest Node that an image may hold. */
const waits = 'try { [process.stdout, process.stderr].forEach(function (stream) { if (stream._handle && stream._handle.setBlocking) stream._handle.setBlocking(true) }) } catch (error) {}\n'

/** The command, with all that Node processes print under it. Where the line cannot be kept the command runs without it. */
export function withWholeOutput (command: string, { scratch }: SandboxFolders): string {
  const path = `${scratch}/.whole-output.cjs`
  // Quotes are known from Node 12 on, and needed in a folder of an odd name only.
  const option = `--require ${/[\s"\\]/.test(path) ? `"${path.replace(/["\\]/g, '\\$&')}"` : path}`
  return `( if builtin printf %s ${shellQuote(waits)} 2>/dev/null >|${shellQuote(path)}; then export NODE_OPTIONS=${shellQuote(option)}"\${NODE_OPTIONS:+ $NODE_OPTIONS}"; fi
    ${command} )`
}
