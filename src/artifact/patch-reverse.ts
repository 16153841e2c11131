// A git diff turned around: what `git diff -R` prints for the same change. Needed as text for the solver, who is shown
// the weakening backwards. A copy cannot be turned around from the patch alone, nor a binary file without its second block.

import { SparError } from '../errors.ts'
import { hunkHeader, readPatch, type PatchFile } from './patch.ts'
import { lineAt, nextLine } from './patch-lines.ts'

/** Throws what `readPatch` throws, and PATCH_NO_REVERSE. */
export function reversePatch (bytes: Uint8Array): Uint8Array {
  const files = readPatch(bytes)
  return Buffer.concat(files.map(file => Buffer.from(reverseFile(file), 'latin1')))
}

function reverseFile (file: PatchFile): string {
  const shown = file.newPath ?? file.oldPath
  if (file.status === 'copied') throw new SparError('PATCH_NO_REVERSE', `Cannot reverse the patch: "${shown}" is a copy`)
  const text = Buffer.from(file.bytes).toString('latin1')
  const start = text.startsWith('diff --git ') ? 0 : text.indexOf('\ndiff --git ') + 1
  const bodyStart = findBody(text, start)
  const header = reverseHeader(text.slice(start, bodyStart), file.status === 'renamed')
  return header + (file.binary ? reverseBinary(text.slice(bodyStart), shown!) : reverseHunks(text, bodyStart))
}

function findBody (text: string, start: number): number {
  let at = start
  while (at < text.length && hunkHeader(text, at) === null && !text.startsWith('GIT binary patch\n', at)) at = nextLine(text, at)
  return at
}

const opposite: Record<string, string> = {
  'old mode ': 'new mode ', 'new mode ': 'old mode ', 'new file mode ': 'deleted file mode ', 'deleted file mode ': 'new file mode ',
  'rename from ': 'rename to ', 'rename to ': 'rename from ', '--- ': '+++ ', '+++ ': '--- '
}
/** These come in pairs whose first line keeps its place, so both are turned around and swapped. */
const firstOfPair = new Set(['old mode ', 'rename from ', '--- '])

function reverseHeader (header: string, renamed: boolean): string {
  const [first, ...lines] = header.split('\n').slice(0, -1)
  const reversed = [renamed ? turnedFirst(first!) : first!]
  for (let index = 0; index < lines.length; index++) {
    const key = Object.keys(opposite).find(key => lines[index]!.startsWith(key))
    if (key !== undefined && firstOfPair.has(key)) {
      reversed.push(turned(lines[index + 1]!), turned(lines[index]!))
      index++
    } else reversed.push(turned(lines[index]!))
  }
  return reversed.map(line => `${line}\n`).join('')
}

function turned (line: string): string {
  const key = Object.keys(opposite).find(key => line.startsWith(key))
  if (key !== undefined) return opposite[key] + swapPrefix(line.slice(key.length), key)
  const index = /^index ([0-9a-f]+)\.\.([0-9a-f]+)(.*)$/.exec(line)
  if (index !== null) return `index ${index[2]}..${index[1]}${index[3]}`
  return line
}

/** `--- b/x` does not exist: the old side is always `a/`, the new one `b/`. */
function swapPrefix (name: string, key: string): string {
  if (key === '--- ') return name.replace(/^("?)a\//, '$1b/')
  if (key === '+++ ') return name.replace(/^("?)b\//, '$1a/')
  return name
}

/** `diff --git a/old b/new`: only a rename has two names, and then the names are swapped, not the prefixes. */
function turnedFirst (line: string): string {
  const rest = line.slice('diff --git '.length)
  const split = /^("a\/(?:[^"\\]|\\.)*"|a\/.*?) ("b\/(?:[^"\\]|\\.)*"|b\/.*)$/.exec(rest)
  if (split === null) return line
  return `diff --git ${split[2]!.replace(/^("?)b\//, '$1a/')} ${split[1]!.replace(/^("?)a\//, '$1b/')}`
}

function reverseHunks (text: string, start: number): string {
  let reversed = ''
  let at = start
  for (let header = hunkHeader(text, at); header !== null; header = hunkHeader(text, at)) {
    reversed += lineAt(text, at).replace(/^@@ -(\S+) \+(\S+) @@/, '@@ -$2 +$1 @@') + '\n'
    at = nextLine(text, at)
    let { oldLines, newLines } = header
    let [removed, added] = ['', '']
    let last: '-' | '+' | ' ' = ' '
    while (oldLines > 0 || newLines > 0 || text.startsWith('\\ ', at)) {
      const line = text.slice(at, nextLine(text, at))
      at += line.length
      if (line.startsWith('\\')) {
        // Belongs to the line before it, whichever side that is on.
        if (last === '-') added += line
        else if (last === '+') removed += line
        else reversed += line
      } else if (line.startsWith('-')) {
        if (last === '+') [reversed, removed, added] = [reversed + removed + added, '', '']
        added += `+${line.slice(1)}`
        oldLines--
        last = '-'
      } else if (line.startsWith('+')) {
        removed += `-${line.slice(1)}`
        newLines--
        last = '+'
      } else {
        reversed += removed + added + line
        ;[removed, added, last] = ['', '', ' ']
        oldLines--
        newLines--
      }
    }
    reversed += removed + added
  }
  return reversed
}

function reverseBinary (body: string, path: string): string {
  const blocks = body.slice('GIT binary patch\n'.length).split(/(?<=\n)\n/).filter(block => /^(?:literal|delta) /.test(block))
  if (blocks.length !== 2) throw new SparError('PATCH_NO_REVERSE', `Cannot reverse the patch: binary file "${path}" has no block for the way back`)
  return `GIT binary patch\n${blocks[1]}\n${blocks[0]}\n`
}
