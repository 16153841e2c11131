// The files outside of the tree that a sandbox can read, as one buffer of their paths: a few megabytes, which are searched
// for names. What never changes is listed once: the system's folders for each image (or the host), an arena's mounts for
// each arena.

import type { LeakLimits } from './limits.ts'
import { archiveNames } from './commands.ts'

export interface Listing {
  /** NUL before and behind each path. Latin-1. */
  paths: Buffer
  /** It is longer than it may be. */
  isCut: boolean
  archives: string[]
  stores: string[]
  /** What the archives hold, in the same form: the archive, 1, a slash, the member. */
  members: Buffer
  /** Archives that were not read, and why. */
  unread: string[]
}

/** What toolchains test their own readers with: made to be hard to read. */
const testData = /\/(?:tests?|testdata|archivetestdata)\//

/** Without archives that a toolchain has for its own tests. */
export const withoutTestData = (listing: Listing): Listing => ({ ...listing, archives: listing.archives.filter(path => !testData.test(path)) })

const isStore = /\.(?:pack|bundle)$|\/[0-9a-f]{2}\/[0-9a-f]{38}$/

export function readListing (output: Uint8Array, { listingBytesMax }: LeakLimits): Listing {
  const isCut = output.length > listingBytesMax
  const whole = isCut ? output.subarray(0, Buffer.from(output.buffer, output.byteOffset, output.length).lastIndexOf(0, listingBytesMax) + 1) : output
  const paths = Buffer.concat([Buffer.of(0), whole])
  const archives: string[] = []
  const stores: string[] = []
  for (const path of paths.toString('latin1').split('\0')) {
    if (archiveNames.test(path)) archives.push(path)
    else if (isStore.test(path)) stores.push(path)
  }
  return { paths, isCut, archives, stores, members: Buffer.of(0), unread: [] }
}

/** With what the archives hold: output of archivesCommand. */
export function withMembers (listing: Listing, output: Uint8Array): Listing {
  const unread = Buffer.from(output.buffer, output.byteOffset, output.length).toString('latin1').split('\0').filter(entry => entry.includes('\x02')).map(entry => entry.replace('\x02', ': '))
  return { ...listing, members: Buffer.concat([Buffer.of(0), output.subarray(0, output.lastIndexOf(0) + 1)]), unread }
}

/** Paths that hold this text; `text` begins with a slash, or is the end of a path with NUL behind. */
export function pathsWith (paths: Buffer, text: string, max: number): string[] {
  const found: string[] = []
  for (let at = paths.indexOf(text, 0, 'latin1'); at !== -1 && found.length < max; at = paths.indexOf(text, at, 'latin1')) {
    const start = paths.lastIndexOf(0, at) + 1
    const end = paths.indexOf(0, at + 1)
    found.push(paths.toString('latin1', start, end))
    at = end
  }
  return found
}
