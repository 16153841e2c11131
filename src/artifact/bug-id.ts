// The content address of a bug: the same five files have the same id on every machine, and one byte more another.

import { createHash } from 'node:crypto'
import type { ArtifactFiles, Bug } from '../domain.ts'
import { canonicalNames, canonicalParserName } from './names.ts'

/** The files under their canonical names, in the order in which they are addressed and written. */
export function namedFiles (files: ArtifactFiles): { name: string; bytes: Uint8Array }[] {
  const named = [
    { name: canonicalNames.testScript, bytes: files.testScript },
    { name: canonicalNames.testFiles, bytes: files.testFiles },
    { name: canonicalParserName(files.parserName), bytes: files.testParser },
    { name: canonicalNames.bugInject, bytes: files.bugInject },
    { name: canonicalNames.testWeaken, bytes: files.testWeaken }
  ]
  return files.predPatch === null ? named : [...named, { name: canonicalNames.predPatch, bytes: files.predPatch }]
}

/** `bug-` and the first 16 hex digits of SHA-256 over name, NUL, length in decimal, NUL, bytes of each file. */
export function bugId (files: ArtifactFiles): string {
  const hash = createHash('sha256')
  for (const { name, bytes } of namedFiles(files)) hash.update(`${name}\0${bytes.length}\0`).update(bytes)
  return `bug-${hash.digest('hex').slice(0, 16)}`
}

/** A bug of order 2 is its parent's files and the failed attempt; anything else is of order 1 and has no parent. */
export function createBug (files: ArtifactFiles, parent: string | null = null): Bug {
  const named = { ...files, parserName: canonicalParserName(files.parserName) }
  return { id: bugId(named), order: files.predPatch === null ? 1 : 2, parent, files: named }
}
