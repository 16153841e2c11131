// Keeps a sandbox within its disk: bytes and number of files. No quota is to be had on every file system, so what a sandbox
// holds is measured, and a sandbox that holds too much is ended: what it took is given back at once.
//
// Numbered rules:
//  1. To measure is dear (every file is looked at), to ask the file system how much room is left is one call. A sandbox can
//     have grown beyond its limit only where the room has shrunk by what it lacked of that: then it is measured. Near its
//     limit it takes a step at least.
//  2. It is measured now and then whatever the room says: others may have made room meanwhile. Where nobody here can ask for
//     the room (an engine elsewhere), time alone decides.
//  3. Measuring takes a small share of the time, however many files there are.
//  4. What cannot be measured is measured again soon, and nothing is held against it: others write to that disk too.
//
// What a sandbox takes between two looks is not held back: only a file system of its own, or one with quotas, does that.

import type { Clock, SandboxLimits } from '../ports.ts'
import { diskBlindMs, diskCheckMs, diskLookMs, diskShareMax, diskStepShare } from './limits.ts'

/** Null: cannot be told. */
export interface Held { bytes: number | null; files: number | null }
export interface Room { bytes: number; files: number }

export interface Disk {
  /** What is left on the file system under the sandbox; null where nobody here can ask. */
  room (): Promise<Room | null>
  /** What the sandbox holds; `files` says whether they have to be counted. */
  held (files: boolean): Promise<Held>
}

type Limits = Pick<SandboxLimits, 'diskBytes' | 'diskFiles'>

const nothing: Held = { bytes: null, files: null }

export class DiskWatch {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #limits: Limits
  readonly #over = new AbortController()
  /** As it was when the bytes, and when the files were last measured. */
  #before: Room | null = null
  /** By how much the room has to shrink. */
  #lacks: Room
  #checkAt = 0
  #freeAt = 0

  constructor (disk: Disk, clock: Clock, limits: Limits) {
    this.#disk = disk
    this.#clock = clock
    this.#limits = limits
    this.#lacks = { bytes: limits.diskBytes, files: limits.diskFiles }
  }

  /** Looks until it is stopped or the sandbox holds too much: `onOver` is told what, once. */
  async watch (onOver: (what: string) => void): Promise<void> {
    const { signal } = this.#over
    this.#before = await this.#room()
    this.#checkAt = this.#clock.now() + (this.#before === null ? diskBlindMs : diskCheckMs)
    while (!signal.aborted) {
      await this.#clock.sleep(diskLookMs, signal).catch(() => {})
      const what = signal.aborted ? null : await this.#look()
      if (what === null || signal.aborted) continue
      this.stop()
      onOver(what)
    }
  }

  stop (): void {
    this.#over.abort()
  }

  async #room (): Promise<Room | null> {
    return await this.#disk.room().catch(() => null)
  }

  /** What it holds too much of, or null. */
  async #look (): Promise<string | null> {
    const startedAt = this.#clock.now()
    if (startedAt < this.#freeAt) return null
    const room = await this.#room()
    const isDue = startedAt >= this.#checkAt
    const filesDue = isDue || this.#shrank(room, 'files') >= this.#lacks.files
    if (!filesDue && this.#shrank(room, 'bytes') < this.#lacks.bytes) return null
    const held = await this.#disk.held(filesDue).catch(() => nothing)
    const took = this.#clock.now() - startedAt
    this.#freeAt = startedAt + took / diskShareMax
    const isUnknown = room === null || held.bytes === null || (filesDue && held.files === null)
    this.#checkAt = Math.max(this.#freeAt, startedAt + (isUnknown ? diskBlindMs : diskCheckMs))
    this.#note(room, held, filesDue)
    return this.#tooMuch(held)
  }

  #note (room: Room | null, held: Held, counted: boolean): void {
    const lacks = (limit: number, has: number | null): number => Math.max(limit * diskStepShare, limit - (has ?? limit))
    this.#lacks.bytes = lacks(this.#limits.diskBytes, held.bytes)
    if (counted) this.#lacks.files = lacks(this.#limits.diskFiles, held.files)
    if (room !== null) this.#before = { bytes: room.bytes, files: counted ? room.files : this.#before?.files ?? room.files }
  }

  #shrank (room: Room | null, what: keyof Room): number {
    return room === null || this.#before === null ? 0 : this.#before[what] - room[what]
  }

  #tooMuch (held: Held): string | null {
    if ((held.bytes ?? 0) > this.#limits.diskBytes) return `${this.#limits.diskBytes} bytes (diskBytes)`
    return (held.files ?? 0) > this.#limits.diskFiles ? `${this.#limits.diskFiles} files (diskFiles)` : null
  }
}
