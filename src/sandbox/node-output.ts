// Node writes to a pipe without waiting, and drops what its reader has not taken yet when it exits or crashes: how many results a log
// holds would depend on how busy this machine is. Runs of tests load a line first that makes it wait, as all other programs do.

import type { SandboxFolders } from '../ports.ts'
import { shellQuote } from '../quote.ts'

const waits = 'try { for (const stream of [process.stdout, process.stderr]) stream._handle?.setBlocking?.(true) } catch {}\n'

/** The command, with all that Node processes print under it. Where the line cannot be kept the command runs without it. */
export function withWholeOutput (command: string, { scratch }: SandboxFolders): string {
  const path = `${scratch}/.whole-output.cjs`
  const option = `--require "${path.replace(/["\\]/g, '\\$&')}"`
  return `( if builtin printf %s ${shellQuote(waits)} 2>/dev/null >|${shellQuote(path)}; then export NODE_OPTIONS=${shellQuote(option)}"\${NODE_OPTIONS:+ $NODE_OPTIONS}"; fi
    ${command} )`
}
