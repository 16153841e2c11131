// A patch turned around, as bytes: what `git diff -R` prints for the same change. applyPatch needs none of this to go
// backwards; it is for those who are shown the patch. A copy cannot be turned around from the patch alone, nor a binary
// file without its second block.

import { SparError } from '../../errors.ts'
import { BACKSLASH, binaryString, LF, MINUS, nextLine, PLUS, startsWith } from './bytes.ts'
import { hunk } from './hunks.ts'
import { parsePatch } from './parse.ts'
import { blockMethod } from './binary.ts'
import { file, fileFlag, type PatchIndex } from './patch-index.ts'

/** Text outside of git's own sections is left out. Throws PATCH_NO_REVERSE, and what parsePatch throws. */
export function reversePatch (patch: Uint8Array | PatchIndex): Uint8Array {
  const index = patch instanceof Uint8Array ? parsePatch(patch) : patch
  return Buffer.concat(Array.from({ length: index.fileCount }, (_, at) => reverseSection(index, at)).flat())
}

function reverseSection (index: PatchIndex, at: number): Uint8Array[] {
  const { bytes } = index.plain
  const { newPath, oldPath, status } = index.entry(at)
  if (status === 'copied') throw noReverse(newPath!, 'it is a copy')
  const header = reverseHeader(binaryString(bytes, index.cell(at, file.start), index.cell(at, file.body)), status === 'renamed')
  const body = index.flag(at, fileFlag.binary) ? reverseBinary(index, at, (newPath ?? oldPath)!) : reverseHunks(index, at)
  return [textBefore(index, at), Buffer.from(header, 'latin1'), ...body]
}

/** A section that is not git's keeps what stands before it (`Index: path`), which may be all that ends the one before. */
const textBefore = (index: PatchIndex, at: number): Uint8Array =>
  index.plain.bytes.subarray(index.isGit(at) ? index.cell(at, file.start) : at === 0 ? 0 : index.cell(at - 1, file.end), index.cell(at, file.start))

const noReverse = (path: string, why: string): SparError => new SparError('PATCH_NO_REVERSE', `Cannot reverse the patch: "${path}" ${why.replace(/^it /, '')}`, { data: { path } })

// ---- the header -----------------------------------------------------------------------------------------------------

const opposite: Record<string, string> = {
  'old mode ': 'new mode ', 'new mode ': 'old mode ', 'new file mode ': 'deleted file mode ', 'deleted file mode ': 'new file mode ',
  'rename from ': 'rename to ', 'rename to ': 'rename from ', 'rename old ': 'rename new ', 'rename new ': 'rename old ', '--- ': '+++ ', '+++ ': '--- '
}
/** These come in pairs whose first line keeps its place, so both are turned around and swapped. */
const firstOfPair = new Set(['old mode ', 'rename from ', 'rename old ', '--- '])

const keyOf = (line: string): string | undefined => Object.keys(opposite).find(key => line.startsWith(key))

function reverseHeader (header: string, renamed: boolean): string {
  const lines = header.split('\n').slice(0, -1)
  const reversed: string[] = []
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!
    const key = keyOf(line)
    const next = lines[index + 1]
    if (key !== undefined && firstOfPair.has(key) && next !== undefined && keyOf(next) === opposite[key]) {
      reversed.push(turned(next), turned(line))
      index++
    } else reversed.push(renamed && line.startsWith('diff --git ') ? turnedFirst(line) : turned(line))
  }
  return reversed.map(line => `${line}\n`).join('')
}

function turned (line: string): string {
  const key = keyOf(line)
  if (key !== undefined) return opposite[key] + swapPrefix(line.slice(key.length), key)
  const index = /^index ([0-9a-f]+)\.\.([0-9a-f]+)(.*)$/.exec(line)
  return index === null ? line : `index ${index[2]}..${index[1]}${index[3]}`
}

/** The prefixes stay on their side: `--- b/x` does not exist. */
function swapPrefix (name: string, key: string): string {
  if (key === '--- ') return name.replace(/^("?)a\//, '$1b/')
  if (key === '+++ ') return name.replace(/^("?)b\//, '$1a/')
  return name
}

/** `diff --git a/old b/new`: only a rename has two names, and then the names are swapped, not the prefixes. */
function turnedFirst (line: string): string {
  const names = /^diff --git ("a\/(?:[^"\\]|\\.)*"|a\/.*?) ("b\/(?:[^"\\]|\\.)*"|b\/.*)$/.exec(line)
  return names === null ? line : `diff --git ${names[2]!.replace(/^("?)b\//, '$1a/')} ${names[1]!.replace(/^("?)a\//, '$1b/')}`
}

// ---- the content ----------------------------------------------------------------------------------------------------

function reverseHunks (index: PatchIndex, at: number): Uint8Array[] {
  const { bytes, hunkTable } = index.plain
  const parts: Uint8Array[] = []
  const first = index.cell(at, file.firstHunk)
  for (let number = first; number < first + index.cell(at, file.hunks); number++) {
    const row = number * hunk.columns
    const heading = binaryString(bytes, hunkTable[row + hunk.start]!, hunkTable[row + hunk.body]!)
    parts.push(Buffer.from(heading.replace(/^@@ -(\S+) \+(\S+) @@/, '@@ -$2 +$1 @@'), 'latin1'))
    parts.push(reverseLines(bytes, hunkTable[row + hunk.body]!, hunkTable[row + hunk.end]!))
  }
  return parts
}

/** Removed lines stay before added ones, so each run of changes is written in two parts. */
function reverseLines (bytes: Uint8Array, start: number, end: number): Uint8Array {
  const out = Buffer.allocUnsafe(end - start)
  const added: [number, number][] = []
  let length = 0
  const copy = (from: number, to: number, sign?: number): void => {
    out.set(bytes.subarray(from, to), length)
    if (sign !== undefined) out[length] = sign
    length += to - from
  }
  const flush = (): void => {
    for (const [from, to] of added) copy(from, to, PLUS)
    added.length = 0
  }
  let last = LF
  for (let at = start, next; at < end; at = next) {
    next = lineWithMark(bytes, at, end)
    const sign = bytes[at]!
    if (sign === MINUS) {
      if (last === PLUS) flush()
      added.push([at, next])
    } else if (sign === PLUS) copy(at, next, MINUS)
    else {
      flush()
      copy(at, next)
    }
    last = sign
  }
  flush()
  return out
}

/** A mark belongs to the line before it, whichever side that is on. */
function lineWithMark (bytes: Uint8Array, at: number, end: number): number {
  let next = nextLine(bytes, at)
  while (next < end && bytes[next] === BACKSLASH) next = nextLine(bytes, next)
  return Math.min(next, end)
}

function reverseBinary (index: PatchIndex, at: number, path: string): Uint8Array[] {
  const { bytes } = index.plain
  const [forward, back] = [index.block(at, file.forward), index.block(at, file.back)]
  if (forward.method === blockMethod.none || back.method === blockMethod.none) throw noReverse(path, 'is a binary file without a block for the way back')
  const start = index.cell(at, file.body)
  const first = nextLine(bytes, start)
  if (!startsWith(bytes, start, 'GIT binary patch\n')) throw noReverse(path, 'is a binary file without its content')
  return [bytes.subarray(start, first), bytes.subarray(forward.end + 1, back.end + 1), bytes.subarray(first, forward.end + 1)]
}
