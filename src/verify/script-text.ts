// What a test script has no use for: the text of the code files that the bug changes, and git's view of what has changed. A
// script that asks for these can print another result for each tree. Pure; says nothing of what a script hides from it.

import type { PatchFile } from '../artifact/index.ts'

/** Commands that read a file's text or compare it. */
const readers = new Set('grep egrep fgrep rg ag sed awk gawk cat tac head tail cut wc cmp diff comm stat test [ [[ strings xxd od hexdump base64 cksum sum b2sum md5sum sha1sum sha224sum sha256sum sha384sum sha512sum perl source .'.split(' '))
/** Words of programs that read, in any language. */
const readingWords = ['open(', 'readFile', 'read_text', 'require(', 'readlines(']
const gitWords = new Set('status diff diff-index diff-files log show stash hash-object ls-files blame apply checkout restore reset cat-file rev-list'.split(' '))
/** Stand before the command itself. */
const before = new Set(['if', 'then', 'else', 'elif', 'while', 'until', 'do', '!', 'time', 'exec', 'command', 'builtin', 'env', 'sudo', 'xargs', 'nice', '{', '('])
/** A line is looked at in pieces of this length at most: what a model wrote is never searched as one long text. */
const lineCharsMax = 4_096

/** Without its comment; a `#` in quotes begins none. */
function withoutComment (line: string): string {
  let quote = ''
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!
    if (char === quote) quote = ''
    else if (quote === '' && (char === "'" || char === '"')) quote = char
    else if (quote === '' && char === '#' && (at === 0 || /\s/.test(line[at - 1]!))) return line.slice(0, at)
  }
  return line
}

/** Commands of a line with their arguments, pipes and lists taken apart. */
const commandsOf = (line: string): string[][] =>
  line.split(/[;|&`]|\$\(/).map(part => part.split(/[\s"']+/).map(word => word.replace(/^[({]+|[)}]+$/g, '')).filter(word => word !== ''))

/** From the command on. */
function commandOf (words: readonly string[]): string[] {
  const at = words.findIndex(word => !before.has(word) && !/^\w+=/.test(word))
  return at === -1 ? [] : words.slice(at)
}

/** The path as it stands: from the tree's root, or behind a variable. */
const names = (word: string, path: string): boolean => word.replace(/^\d*[<>]+/, '').replace(/^(?:\.|\$\w+|\$\{\w+\})\//, '') === path

/** The line that asks, and what for; null where none does. */
export function askingLine (script: Uint8Array, units: readonly PatchFile[]): { line: number; reason: string } | null {
  const paths = [...new Set(units.flatMap(({ oldPath, newPath }) => [oldPath, newPath]).filter(path => path !== null))]
  const lines = Buffer.from(script.buffer, script.byteOffset, script.length).toString('utf8').replaceAll('\r', '').split('\n')
  for (const [index, line] of lines.entries()) {
    for (let from = 0; from < line.length; from += lineCharsMax) {
      const reason = reasonOf(withoutComment(line.slice(from, from + lineCharsMax)), paths)
      if (reason !== null) return { line: index + 1, reason }
    }
  }
  return null
}

function reasonOf (line: string, paths: readonly string[]): string | null {
  for (const words of commandsOf(line)) {
    const [command, ...given] = commandOf(words)
    const name = command?.split('/').at(-1)
    const asked = name === 'git' ? given.find(word => gitWords.has(word)) : undefined
    if (asked !== undefined) return `asks git what has changed (git ${asked})`
    const read = paths.find(path => given.some(word => names(word, path) && ((name !== undefined && readers.has(name)) || word.startsWith('<') || given[given.indexOf(word) - 1] === '<')) || (command?.startsWith('<') === true && [command, ...given].some(word => names(word, path))))
    if (read !== undefined) return `reads ${JSON.stringify(read)}, which the bug changes`
  }
  const opened = readingWords.some(word => line.includes(word)) ? paths.find(path => line.includes(path)) : undefined
  return opened === undefined ? null : `reads ${JSON.stringify(opened)}, which the bug changes`
}
