// What a test script has no use for: the text of the code files that the bug changes, and git's view of what has changed. A
// script that asks for these can print another result for each tree. Pure; says nothing of what a script hides from it.

import type { PatchFile } from '../artifact/index.ts'

/** Commands that read a file's text or compare it. */
const readers = /(?:^|[\s;|&($`{!])(?:grep|egrep|fgrep|rg|ag|sed|awk|gawk|cat|tac|head|tail|cut|wc|cmp|diff|comm|stat|test(?=\s+[-!])|\[|\[\[|strings|xxd|od|hexdump|base64|cksum|sum|b2sum|md5sum|sha\d*sum|perl)(?=\s)|\bopen\(|readFile|read_text|\$\(<|<\s*["']?[\w./-]+$/
const git = /(?:^|[\s;|&($`{!])git\s+(?:-\S+\s+(?:\S+\s+)?)*(status|diff|diff-index|diff-files|log|show|stash|hash-object|ls-files|blame|apply|checkout|restore|reset|cat-file|rev-list)\b/

const withoutComment = (line: string): string => line.replace(/(?:^|\s)#.*$/, '')

/** The path as a word of its own: from the tree's root, or behind a variable. */
const named = (path: string): RegExp => new RegExp(`(?<![\\w./-])(?:\\./|\\$\\w+/|\\$\\{\\w+\\}/)?${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-])`)

/** The line that asks, and what for; null where none does. */
export function askingLine (script: Uint8Array, units: readonly PatchFile[]): { line: number; reason: string } | null {
  const paths = [...new Set(units.flatMap(({ oldPath, newPath }) => [oldPath, newPath]).filter(path => path !== null))].map(path => ({ path, named: named(path) }))
  const lines = Buffer.from(script.buffer, script.byteOffset, script.length).toString('utf8').split('\n').map(withoutComment)
  for (const [index, text] of lines.entries()) {
    const asked = git.exec(text)?.[1]
    if (asked !== undefined) return { line: index + 1, reason: `asks git what has changed (git ${asked})` }
    const found = paths.find(({ named }) => named.test(text))
    if (found !== undefined && readers.test(text.replace(found.named, 'x'))) return { line: index + 1, reason: `reads ${JSON.stringify(found.path)}, which the bug changes` }
  }
  return null
}
