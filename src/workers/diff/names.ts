// File names as git reads them out of the lines of a patch: plain up to a tab, C-quoted with octal escapes, behind a prefix
// of one part (a/, b/, or whatever stands there), with a date behind it in diffs that are not git's. A name is a binary
// string that may still hold a NUL; null stands for no name.

import { BACKSLASH, byteAt, CR, cString, isSpace, LF, QUOTE, SLASH, SPACE, startsWith, TAB, binaryString } from './bytes.ts'

const escapes: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': QUOTE, '\\': BACKSLASH }

/** Reads a C-quoted name that starts at `start` with its quote; it may span lines, and ends nowhere but at a quote. */
export function unquote (bytes: Uint8Array, start: number): { name: string; end: number } | null {
  let name = ''
  for (let at = start + 1; ;) {
    const byte = byteAt(bytes, at++)
    if (byte === 0) return null
    if (byte === QUOTE) return { name, end: at }
    if (byte !== BACKSLASH) {
      name += String.fromCharCode(byte)
      continue
    }
    const octal = /^[0-3][0-7]{2}/.exec(binaryString(bytes, at, at + 3))
    const escape = octal ? Number.parseInt(octal[0], 8) : escapes[String.fromCharCode(byteAt(bytes, at))]
    if (escape === undefined) return null
    name += String.fromCharCode(escape)
    at += octal ? 3 : 1
  }
}

const squash = (name: string): string => {
  const end = name.indexOf('\0')
  return end === -1 ? name.replace(/\/\/+/g, '/') : name.slice(0, end).replace(/\/\/+/g, '/') + name.slice(end)
}

interface NameOptions {
  /** Leading parts to remove: 1 behind `---` and `+++`, 0 behind `rename from` and the like. */
  strip: 0 | 1
  /** Whether a tab ends the name. */
  tabEnds?: boolean
  /** Where the name ends, where that is known; else at white space other than a space (and a tab). */
  end?: number
  /** Taken where there is no name, or where it is the beginning of it. */
  shorter?: string | null
}

export function readName (bytes: Uint8Array, start: number, options: NameOptions): string | null {
  return quotedName(bytes, start, options.strip) ?? plainName(bytes, start, options)
}

function quotedName (bytes: Uint8Array, start: number, strip: 0 | 1): string | null {
  if (byteAt(bytes, start) !== QUOTE) return null
  const name = unquote(bytes, start)?.name
  if (name === undefined || strip === 0) return name === undefined ? null : squash(name)
  const slash = cString(name).indexOf('/')
  return slash === -1 ? null : squash(name.slice(slash + 1))
}

function plainName (bytes: Uint8Array, start: number, { strip, tabEnds = false, end, shorter = null }: NameOptions): string | null {
  let first = strip === 0 ? start : -1
  let at = start
  for (; at !== end; at++) {
    const byte = byteAt(bytes, at)
    if (end === undefined && (byte === LF || byte === CR || (byte === TAB && tabEnds) || at >= bytes.length)) break
    if (byte === SLASH && first === -1) first = at + 1
  }
  if (first === -1 || first === at) return shorter === null ? null : squash(shorter)
  const name = binaryString(bytes, first, at)
  if (shorter !== null && shorter.length < name.length && name.startsWith(shorter)) return squash(shorter)
  return squash(name)
}

export const isDevNull = (bytes: Uint8Array, at: number): boolean => startsWith(bytes, at, '/dev/null') && isSpace(byteAt(bytes, at + 9))

// ---- diffs that are not git's ---------------------------------------------------------------------------------------

/** A name that may have a date behind it. */
export function readDatedName (bytes: Uint8Array, start: number, shorter: string | null): string | null {
  const quoted = quotedName(bytes, start, 1)
  if (quoted !== null) return quoted
  const line = lineText(bytes, start)
  const date = dateLength(line)
  if (date === 0) return plainName(bytes, start, { strip: 1, tabEnds: true, shorter })
  return plainName(bytes, start, { strip: 1, end: start + line.length - date, shorter })
}

const lineText = (bytes: Uint8Array, start: number): string => {
  const end = bytes.indexOf(LF, start)
  return cString(binaryString(bytes, start, end === -1 ? bytes.length : end))
}

/** Characters at the end of the line that are a date (`2010-07-05 19:41:17.620000023 -0500`) with the white space before it. */
function dateLength (line: string): number {
  if (!/\d$/.test(line)) return 0
  let rest = line.replace(/ [+-]\d{4}$| [+-]\d\d:\d\d$/, '')
  rest = rest.replace(/ \d\d:\d\d:\d\d(?:\.\d+)?$/, '')
  const day = /(?:\d\d)?\d\d-\d\d-\d\d$/.exec(rest)
  if (day === null || day.index === 0) return 0
  const before = rest.slice(0, day.index)
  if (before.endsWith('\t')) return line.length - before.length + 1
  return before.endsWith(' ') ? line.length - before.replace(/ +$/, '').length : 0
}

/** GNU diff dates the missing side of an added or removed file with the beginning of 1970. */
export function isEpoch (bytes: Uint8Array, start: number): boolean {
  const end = bytes.indexOf(LF, start)
  const line = binaryString(bytes, start, end === -1 ? bytes.length : end)
  const stamp = /^(1969-12-31|1970-01-01) ([0-2]\d):([0-5]\d):00(?:\.0+)? ([-+])([0-2]\d)(:?)([0-5]\d)$/.exec(line.slice(line.lastIndexOf('\t') + 1))
  if (stamp === null || !line.includes('\t')) return false
  const [, day, hour, minute, sign, zoneHour, , zoneMinute] = stamp
  const zone = (Number(zoneHour) * 60 + Number(zoneMinute)) * (sign === '-' ? -1 : 1)
  return Number(hour) * 60 + Number(minute) - zone === (day === '1969-12-31' ? 24 * 60 : 0)
}

// ---- the `diff --git` line ------------------------------------------------------------------------------------------

const withoutPrefix = (name: string): string | null => {
  const slash = name.indexOf('/')
  return slash < 1 ? null : name.slice(slash + 1)
}

/** The one name of a `diff --git` line that names the same file twice; null for two names, which other lines must give. */
export function nameOfGitLine (bytes: Uint8Array, lineStart: number, lineEnd: number): string | null {
  const start = lineStart + 'diff --git '.length
  return byteAt(bytes, start) === QUOTE ? bothOfQuoted(bytes, start, lineEnd) : bothOfPlain(bytes, start, lineEnd)
}

function bothOfQuoted (bytes: Uint8Array, start: number, lineEnd: number): string | null {
  const quoted = unquote(bytes, start)
  const first = quoted && withoutPrefix(quoted.name)
  if (!quoted || first === null) return null
  let at = quoted.end
  while (at < lineEnd && isSpace(bytes[at]!)) at++
  if (at >= lineEnd) return null
  if (byteAt(bytes, at) === QUOTE) {
    const second = withoutPrefix(unquote(bytes, at)?.name ?? '')
    return second !== null && cString(second) === cString(first!) ? first! : null
  }
  // The line feed counts as part of a second name without quotes, so only a name that ends in one is the same.
  return withoutPrefix(binaryString(bytes, at, lineEnd)) === first ? first! : null
}

function bothOfPlain (bytes: Uint8Array, start: number, lineEnd: number): string | null {
  const line = binaryString(bytes, start, lineEnd)
  const name = withoutPrefix(line)
  if (name === null) return null
  const quote = name.indexOf('"')
  if (quote !== -1) {
    const second = withoutPrefix(unquote(bytes, lineEnd - name.length + quote)?.name ?? '')
    if (second === null || second.length >= quote) return null
    return cString(name.slice(0, second.length)) === cString(second) && isSpace(name.charCodeAt(second.length)) ? second : null
  }
  if (name.includes('\0')) return null
  for (let length = 0; name[length] !== '\n'; length++) {
    if (name[length] !== '\t' && name[length] !== ' ') continue
    const second = withoutPrefix(name.slice(length + 1))
    if (second === null) return null
    if (second[length] === '\n' && second.startsWith(name.slice(0, length))) return name.slice(0, length)
  }
  return null
}
