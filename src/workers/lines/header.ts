// The header of one file section of a git diff, for a file that keeps its name, comes or goes.

import { blobId } from '../blob-id.ts'
import { quotePath } from './quote.ts'

/** A mode of null: that side has no such file. */
export interface SectionHeader { path: string; beforeMode: string | null; afterMode: string | null }

const noBlob = '0'.repeat(40)

/** `diff --git` and what became of the mode. */
export function formatOpening ({ path, beforeMode, afterMode }: SectionHeader): string {
  const opening = `diff --git ${quotePath(`a/${path}`)} ${quotePath(`b/${path}`)}\n`
  if (beforeMode === null) return `${opening}new file mode ${afterMode}\n`
  if (afterMode === null) return `${opening}deleted file mode ${beforeMode}\n`
  return beforeMode === afterMode ? opening : `${opening}old mode ${beforeMode}\nnew mode ${afterMode}\n`
}

/** The mode stands here where it is the same on both sides. */
export function formatIndex ({ beforeMode, afterMode }: SectionHeader, before: Uint8Array, after: Uint8Array): string {
  const name = (mode: string | null, bytes: Uint8Array): string => mode === null ? noBlob : blobId(bytes)
  return `index ${name(beforeMode, before)}..${name(afterMode, after)}${beforeMode === afterMode ? ` ${beforeMode}` : ''}\n`
}

export function formatNames ({ path, beforeMode, afterMode }: SectionHeader): string {
  const side = (prefix: string, mode: string | null): string => mode === null ? '/dev/null' : tabbed(quotePath(`${prefix}/${path}`))
  return `--- ${side('a', beforeMode)}\n+++ ${side('b', afterMode)}\n`
}

// Git ends a name with a space in it by a tab, so that a date behind it could be told apart.
const tabbed = (name: string): string => name.includes(' ') ? `${name}\t` : name
