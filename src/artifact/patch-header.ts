// The header of one file section of a git diff: from its `diff --git` line to its first hunk. Names are taken from where
// git takes them (rename and copy lines, then `---` and `+++`, then the first line), and must agree with each other.

import type { PatchFile } from './patch.ts'
import { lineAt, malformed, nextLine } from './patch-lines.ts'
import { plainPath, unquote } from './quoted-path.ts'

export type PatchHeader = Pick<PatchFile, 'oldPath' | 'newPath' | 'status' | 'oldMode' | 'newMode'> & { end: number }

const keys = ['--- ', '+++ ', 'old mode ', 'new mode ', 'new file mode ', 'deleted file mode ', 'copy from ', 'copy to ',
  'rename from ', 'rename to ', 'rename old ', 'rename new ', 'similarity index ', 'dissimilarity index ', 'index '] as const

type Fields = Partial<Record<typeof keys[number], string>>

/** Null where git takes the line for a comment: a `diff --git` line with nothing of a header below it. */
export function readHeader (text: string, start: number): PatchHeader | null {
  const fields: Fields = {}
  let end = nextLine(text, start)
  const first = end
  for (let key = keyAt(text, end); key !== undefined; key = keyAt(text, end)) {
    if (fields[key] !== undefined) throw malformed(text, end, `"${key.trim()}" twice in one header`)
    fields[key] = lineAt(text, end).slice(key.length)
    end = nextLine(text, end)
  }
  if (end === first) return null
  return { ...namesOf(text, start, fields), ...modesOf(fields), end }
}

/** Inside a header `--- ` opens the names: a hunk or a binary block follows, never another `--- `. */
const keyAt = (text: string, at: number): typeof keys[number] | undefined => keys.find(key => text.startsWith(key, at))

function modesOf (fields: Fields): Pick<PatchHeader, 'oldMode' | 'newMode'> {
  const both = / (\d+)\s*$/.exec(fields['index '] ?? '')?.[1] ?? null
  const mode = (value: string | undefined): string | null => value?.trim() ?? null
  return {
    oldMode: mode(fields['old mode ']) ?? mode(fields['deleted file mode ']) ?? (fields['new file mode '] === undefined ? both : null),
    newMode: mode(fields['new mode ']) ?? mode(fields['new file mode ']) ?? (fields['deleted file mode '] === undefined ? both : null)
  }
}

function namesOf (text: string, start: number, fields: Fields): Pick<PatchHeader, 'oldPath' | 'newPath' | 'status'> {
  const status = statusOf(text, start, fields)
  const from = bareName(fields['rename from '] ?? fields['rename old '] ?? fields['copy from '])
  const to = bareName(fields['rename to '] ?? fields['rename new '] ?? fields['copy to '])
  const minus = sideName(fields['--- '])
  const plus = sideName(fields['+++ '])
  if ((minus === undefined) !== (plus === undefined)) throw malformed(text, start, '"---" without "+++"')
  const fallback = from === undefined && minus === undefined ? sameName(text, start) : null
  const oldPath = agree(text, start, from, minus) ?? fallback
  const newPath = agree(text, start, to, plus) ?? fallback
  const wrong = status === 'added'
    ? minus !== undefined && oldPath !== null
    : status === 'deleted' ? plus !== undefined && newPath !== null : status === 'modified' && (oldPath !== newPath || oldPath === null)
  if (wrong) throw malformed(text, start, 'names that do not fit the kind of change')
  return { status, oldPath: status === 'added' ? null : oldPath, newPath: status === 'deleted' ? null : newPath }
}

function statusOf (text: string, start: number, fields: Fields): PatchFile['status'] {
  const found: PatchFile['status'][] = []
  if (fields['new file mode '] !== undefined) found.push('added')
  if (fields['deleted file mode '] !== undefined) found.push('deleted')
  const pairs = [['rename from ', 'rename to ', 'renamed'], ['rename old ', 'rename new ', 'renamed'], ['copy from ', 'copy to ', 'copied']] as const
  for (const [from, to, status] of pairs) {
    if ((fields[from] === undefined) !== (fields[to] === undefined)) throw malformed(text, start, `half of a ${status} pair`)
    if (fields[from] !== undefined) found.push(status)
  }
  if (found.length > 1) throw malformed(text, start, `a file that is ${found.join(' and ')}`)
  return found[0] ?? 'modified'
}

/** Where both are given they must be equal; null stands for /dev/null. */
function agree (text: string, start: number, explicit: string | undefined, side: string | null | undefined): string | null | undefined {
  if (explicit !== undefined && side !== undefined && explicit !== side) throw malformed(text, start, 'names that contradict each other')
  return explicit ?? side
}

/** `rename from` and the like carry the path without a prefix. */
const bareName = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : value.startsWith('"') ? unquote(value, 0).path : plainPath(value)

/** `--- a/path` or `/dev/null`; git puts a tab behind a name that has spaces. */
function sideName (value: string | undefined): string | null | undefined {
  if (value === undefined) return undefined
  if (value.startsWith('"')) return withoutPrefix(unquote(value, 0).path)
  const name = value.split('\t', 1)[0]!
  return name === '/dev/null' ? null : withoutPrefix(plainPath(name))
}

/** `git apply -p1` removes the first part of the path, whatever it is. A path without one is left, for the guards. */
const withoutPrefix = (path: string): string => path.startsWith('/') ? path : path.slice(path.indexOf('/') + 1)

/** The one name of `diff --git a/name b/name`, where nothing else names the file (mode change, empty or binary file). */
function sameName (text: string, start: number): string {
  const rest = lineAt(text, start).slice('diff --git '.length)
  if (rest.startsWith('"')) {
    const first = unquote(rest, 0)
    const second = rest.slice(first.end + 1)
    const name = second.startsWith('"') ? unquote(second, 0).path : plainPath(second)
    if (withoutPrefix(first.path) === withoutPrefix(name)) return withoutPrefix(name)
    throw malformed(text, start, 'two names where there is one file')
  }
  for (let space = rest.indexOf(' '); space !== -1; space = rest.indexOf(' ', space + 1)) {
    const [first, second] = [withoutPrefix(rest.slice(0, space)), withoutPrefix(rest.slice(space + 1))]
    if (first === second && first !== '') return plainPath(first)
  }
  throw malformed(text, start, 'two names where there is one file')
}
