// Which paths git lets a patch write: relative, without empty parts, `.` or `..`, and away from `.git` under every spelling
// that some file system takes for it (NTFS: `git~1`, dots, spaces and streams behind it, backslashes between parts).

import { isLink } from './tree.ts'

/** `name` is a binary string. */
export function isSafePath (name: string, mode: number): boolean {
  const parts = name.split('/')
  if (parts.some(part => part === '' || part === '.' || part === '..' || /^\.git$/i.test(part))) return false
  // A backslash separates parts for NTFS.
  const names = parts.flatMap(part => part.split('\\').map((_, index, all) => all.slice(index).join('\\')))
  if (names.some(isGitOnNtfs)) return false
  return !isLink(mode) || !(parts.some(part => /^\.gitmodules$/i.test(part)) || tails(name).some(isGitmodulesOnNtfs))
}

const isGitOnNtfs = (part: string): boolean => /^(?:\.git|git~1)[. ]*(?:[\\:]|$)/i.test(part)

/** The path from each of its parts on, parts ended by either slash. */
const tails = (name: string): string[] => [...name.matchAll(/(?<=^|[/\\])/g)].map(match => name.slice(match.index))

/** A link of that name would be read as configuration. Short names are `gitmod~1` to `~4`, and `gi7eba~1` where those are taken. */
const isGitmodulesOnNtfs = (tail: string): boolean =>
  /^\.gitmodules[ .]*(?:$|:)/i.test(tail) || /^gitmod~[1-4][ .]*(?:$|:)/i.test(tail) || isFallbackShortName(tail)

function isFallbackShortName (tail: string): boolean {
  const short = /^([gi7eba]{0,6})~[1-9]\d*/i.exec(tail.slice(0, 8))
  return tail.length >= 8 && short !== null && short[0].length === 8 && 'gi7eba'.startsWith(short[1]!.toLowerCase()) && /^[ .]*(?:$|:)/.test(tail.slice(8))
}
