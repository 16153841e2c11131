// Paths as git writes them in diffs: plain, or C-quoted between double quotes with octal escapes for bytes outside of
// ASCII. Input is text read as latin1, so that one character is one byte; output is UTF-8 text.

import { SparError } from '../errors.ts'

const escapes: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, '\\': 92 }

/** Reads a C-quoted name that starts at `start` (a double quote); `end` is the index after the closing quote. */
export function unquote (latin1: string, start: number): { path: string; end: number } {
  const bytes: number[] = []
  let at = start + 1
  while (latin1[at] !== '"') {
    if (at >= latin1.length) throw malformed(latin1)
    if (latin1[at] !== '\\') {
      bytes.push(latin1.charCodeAt(at++))
      continue
    }
    const octal = /^[0-3][0-7]{2}/.exec(latin1.slice(at + 1, at + 4))
    const escape = octal ? Number.parseInt(octal[0], 8) : escapes[latin1[at + 1] ?? '']
    if (escape === undefined) throw malformed(latin1)
    bytes.push(escape)
    at += octal ? 4 : 2
  }
  return { path: decodePath(Uint8Array.from(bytes)), end: at + 1 }
}

/** A name that was not quoted. */
export const plainPath = (latin1: string): string => decodePath(Buffer.from(latin1, 'latin1'))

function decodePath (bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new SparError('PATCH_BAD_PATH', `Cannot read path "${Buffer.from(bytes).toString('latin1')}" of a patch: it is not UTF-8`)
  }
}

const malformed = (text: string): SparError =>
  new SparError('PATCH_MALFORMED', `Cannot read a quoted path of a patch: ${text.slice(0, 200)}`)

const letters = new Map(Object.entries(escapes).map(([letter, byte]) => [byte, letter]))

/** A name as git writes it with core.quotePath: quoted where it holds a quote, a backslash, or a byte that is no printable ASCII. */
export function quotePath (path: string): string {
  if (/^[\x20-\x7e]*$/.test(path) && !/["\\]/.test(path)) return path
  const bytes = [...Buffer.from(path)].map(byte => {
    const letter = letters.get(byte)
    if (letter !== undefined) return `\\${letter}`
    return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`
  })
  return `"${bytes.join('')}"`
}
