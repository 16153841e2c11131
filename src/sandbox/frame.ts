// The text that is written to the shell, and the marks that it writes back.
//
// The shell is a bash that reads its script from standard input; each command is a few lines of it. Bash reads the lines of a
// pipe byte by byte, with a call of the system for each, so the command itself is read in one piece, by its length (`read -N`,
// from bash 4.1 on). That also means that the line with the end mark is still in the pipe while the command runs: no variable
// of the shell holds the nonce that the command would have to know to forge its end. (A command may of course take its own
// shell apart. It then lies to itself: no verdict rests on an exit code alone.)
//
// Fd 9 is where output goes. Each command gets it afresh, so that `exec >file` in one command does not reach the next.

import { randomBytes } from 'node:crypto'

import { shellQuote } from '../quote.ts'

export interface Frame {
  /** What to write to the shell. */
  script: Buffer
  /** Output begins after this. */
  start: Buffer
  /** Output ends before this; an exit code and a newline follow. */
  end: Buffer
}

const mark = (nonce: string): Buffer => Buffer.from(`\0${nonce} `)
/** A variable of the shell; with LC_ALL=C its length counts in bytes. */
const commandName = 'SPAR_COMMAND'
const newNonce = (): string => randomBytes(12).toString('hex')

export function frameCommand (command: string, stdin: Uint8Array | undefined, stdinPath: string): Frame {
  const start = newNonce()
  const end = newNonce()
  const input = stdin === undefined || stdin.length === 0 ? '/dev/null' : shellQuote(stdinPath)
  const lines = [
    `builtin printf '\\0%s ' ${start} >&9`,
    `LC_ALL=C builtin read -r -N ${Buffer.byteLength(command)} ${commandName}`,
    `${command}builtin eval "$${commandName}" <${input} >&9 2>&1 9>&-`,
    `builtin printf '\\0%s %s\\n' ${end} "$?" >&9`,
    ''
  ]
  const script = Buffer.from(lines.join('\n'))
  if (input === '/dev/null') return { script, start: mark(start), end: mark(end) }
  return { script: Buffer.concat([stdinLine(stdin!.length, input, lines[0]!), stdin!, script, Buffer.from(`: >|${input}\n`)]), start: mark(start), end: mark(end) }
}

/** Exit code of a command whose standard input could not be kept; its output says why. The shell is gone then. */
const unkeptExit = 96

/**
 * `head` takes exactly its bytes from the shell's own input; what follows is script again. Where it cannot write them down
 * nobody knows how many it took, and the rest would run as script: the command does not run, and the shell ends.
 */
function stdinLine (length: number, path: string, begin: string): Buffer {
  const fault = 'its standard input cannot be kept in the sandbox: No space left on device, or the file is in the way'
  return Buffer.from(`/usr/bin/head -c ${length} 2>/dev/null >|${path} || { ${begin}; builtin echo ${shellQuote(fault)} >&9; builtin exit ${unkeptExit}; }\n`)
}

/** First lines of a fresh shell. The hard limits cannot be raised again by what runs in it. */
export function framePrelude (limits: { fileBytes: number; openFiles: number; pids: number | null }, tree: string): Buffer {
  const lines = [
    'exec 9>&1',
    'ulimit -c 0',
    `ulimit -f ${Math.ceil(limits.fileBytes / 1024)}`,
    `ulimit -n ${limits.openFiles} 2>/dev/null`,
    limits.pids === null ? '' : `ulimit -u ${limits.pids} 2>/dev/null`,
    'umask 022',
    `cd -- ${shellQuote(tree)}`,
    ''
  ]
  return Buffer.from(lines.filter((line, index) => line !== '' || index === lines.length - 1).join('\n'))
}

/**
 * The keeper: parent of the shell. It says with a nonce of its own that the shell ended, and how; a stream that ends
 * without that word is a lost sandbox. `launch` is the command that becomes the shell, without the
 * variables `hidden`. Plain sh.
 */
export function keeperScript (launch: string, hidden: string[] = []): string {
  return [
    ...hidden.map(name => `unset ${name}`),
    'IFS= read -r nonce',
    'exec 8<&0 7>&1',
    `${launch} <&8 8<&- 7>&- 2>/dev/null &`,
    'exec 8<&-',
    'wait "$!"',
    'code=$?',
    'printf \'\\0%s %s\\n\' "$nonce" "$code" >&7'
  ].join('\n')
}

export function newKeeperNonce (): { line: string; end: Buffer } {
  const nonce = newNonce()
  return { line: `${nonce}\n`, end: mark(nonce) }
}
