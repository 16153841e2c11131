// Texts of rollouts in flight, in a file instead of the heap: a command may print 128 KB, a rollout may have 128 of them, and a
// thousand rollouts may be under way. What is in use is read back when it is needed, mostly from the page cache.
//
// One file for the process, in pages, which rollouts take and give back: it is as large as the most that ever was in flight.
//
// S1. The file has no name once it is open, so nothing of it outlives the process, however that ends.
// S2. A text that cannot be written (the disk is full, `bytesMax` is reached) stays in the heap: nothing is lost, and no rollout
//     ends for it.

import { randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export interface SpillLimits {
  /** A shorter text stays in the heap: as many characters. */
  inlineCharsMax: number
  pageBytes: number
  /** Of the file. */
  bytesMax: number
}

export const spillLimits: SpillLimits = { inlineCharsMax: 1024, pageBytes: 2 ** 16, bytesMax: 2 ** 36 }

/** A text, or where it stands in its store. */
export type KeptText = string | { at: number; bytes: number }

/** The texts of one rollout: of whole characters, as JSON is. Nothing may be read once it was freed. */
export interface TextStore {
  keep (text: string): KeptText
  read (kept: KeptText): string
  /** Gives the pages back. Idempotent. */
  free (): void
}

export interface Spill {
  open (): TextStore
  /** Pages that stores hold now, in bytes, and the size of the file. */
  readonly used: number
  readonly size: number
  /** Ends it; stores that are open keep what they have in the heap alone. Idempotent. */
  close (): void
}

/** `home`: Spar's state folder. Throws what the file system throws where the file cannot be made. */
export function createSpill (home: string, limits: SpillLimits = spillLimits): Spill {
  const { inlineCharsMax, pageBytes, bytesMax } = limits
  const file = openNameless(join(home, 'spill'))
  const free: number[] = []
  let pages = 0
  let isOpen = true

  const take = (): number | null => free.pop() ?? ((pages + 1) * pageBytes > bytesMax ? null : pages++)

  /** Calls back for each piece of a text that lies in one page: its place in the file, and within the text. */
  const eachPiece = (own: readonly number[], at: number, bytes: number, piece: (position: number, from: number, length: number) => void): void => {
    for (let done = 0; done < bytes;) {
      const within = (at + done) % pageBytes
      const length = Math.min(bytes - done, pageBytes - within)
      piece(own[Math.floor((at + done) / pageBytes)]! * pageBytes + within, done, length)
      done += length
    }
  }

  const open = (): TextStore => {
    const own: number[] = []
    let end = 0

    const write = (bytes: Buffer): boolean => {
      while (own.length * pageBytes < end + bytes.length) {
        const page = take()
        if (page === null) return false
        own.push(page)
      }
      try {
        eachPiece(own, end, bytes.length, (position, from, length) => {
          for (let done = 0; done < length;) done += writeSync(file, bytes, from + done, length - done, position + done)
        })
        return true
      } catch {
        return false
      }
    }

    return {
      keep (text) {
        if (text.length <= inlineCharsMax || !isOpen) return text
        const bytes = Buffer.from(text)
        if (!write(bytes)) return text
        const kept = { at: end, bytes: bytes.length }
        end += bytes.length
        return kept
      },
      read (kept) {
        if (typeof kept === 'string') return kept
        const bytes = Buffer.allocUnsafe(kept.bytes)
        eachPiece(own, kept.at, kept.bytes, (position, from, length) => {
          for (let done = 0; done < length;) {
            const read = readSync(file, bytes, from + done, length - done, position + done)
            if (read === 0) throw new Error('The file of transcripts is shorter than it was')
            done += read
          }
        })
        return bytes.toString('utf8')
      },
      free () {
        free.push(...own.splice(0))
        end = 0
      }
    }
  }

  return {
    open,
    get used () { return (pages - free.length) * pageBytes },
    get size () { return pages * pageBytes },
    close () {
      if (isOpen) closeSync(file)
      isOpen = false
    }
  }
}

/** A file that whoever was killed between the two steps has left is empty, and whoever is between them has it open: both may go. */
function openNameless (folder: string): number {
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { force: true })
  // Two containers that share the folder may have the same process id.
  const path = join(folder, randomUUID())
  const file = openSync(path, 'wx+', 0o600)
  rmSync(path, { force: true })
  return file
}
