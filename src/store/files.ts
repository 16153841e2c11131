// Files that a crash cannot leave half-written: whole files are written beside their place and renamed; a log of lines
// may end in a torn line after a crash, which is cut off when the log is opened.

import { randomUUID } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { SparError } from '../errors.ts'

/** Replaces a file in one step. Throws STORE_WRITE_FAILED (disk full, no permission), retryable. */
export function writeAtomic (path: string, content: string | Uint8Array): void {
  const draft = `${path}.${randomUUID()}.draft`
  try {
    inFolder(path, () => writeFileSync(draft, content))
    renameSync(draft, path)
  } catch (error) {
    if (existsSync(draft)) rmSync(draft)
    throw notWritten(path, error)
  }
}

/** Whether the file is new: one that is there is left alone. Throws as above. */
export function writeNew (path: string, content: string): boolean {
  try {
    inFolder(path, () => writeFileSync(path, content, { flag: 'wx' }))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw notWritten(path, error)
  }
}

/** The same for a large file: the event loop goes on while it is written. */
export async function writeLarge (path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.${randomUUID()}.draft`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(draft, content)
    await rename(draft, path)
  } catch (error) {
    if (existsSync(draft)) await rm(draft)
    throw notWritten(path, error)
  }
}

const notWritten = (path: string, error: unknown): SparError =>
  new SparError('STORE_WRITE_FAILED', `Cannot write ${path}: ${(error as Error).message}`, { retryable: true, cause: error })

/** Makes the folder only where it is missing: a run writes thousands of files into the same few. */
function inFolder (path: string, write: () => void): void {
  try {
    write()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(dirname(path), { recursive: true })
    write()
  }
}

export const writeJson = (path: string, value: unknown): void => writeAtomic(path, JSON.stringify(value, null, 2) + '\n')

/** The value of a JSON file, or null where there is none. Throws STORE_CORRUPT when it does not parse. */
export function readJson<T> (path: string): T | null {
  if (!existsSync(path)) return null
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch (error) {
    throw new SparError('STORE_CORRUPT', `Cannot read ${path}: ${(error as Error).message}. Remove the file, or the run, and start again.`, { cause: error })
  }
}

/** A log of JSON lines: `lines` are the whole lines that were there when it was opened. `mend` cuts a torn last line off. */
export interface JsonLog<Line> { lines: Line[]; append (line: Line): void }

export function openJsonLog<Line> (path: string, mend = true): JsonLog<Line> {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  if (mend && text !== '' && !text.endsWith('\n')) cutTornLine(path)
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n').flatMap((line, index) => line === '' ? [] : [parseLine<Line>(path, line, index + 1)])
  return {
    lines,
    append (line) {
      try {
        inFolder(path, () => appendFileSync(path, JSON.stringify(line) + '\n'))
      } catch (error) {
        // Half a line would spoil the next one.
        if (existsSync(path)) cutTornLine(path)
        throw notWritten(path, error)
      }
    }
  }
}

function parseLine<Line> (path: string, line: string, number: number): Line {
  try {
    return JSON.parse(line) as Line
  } catch (error) {
    throw new SparError('STORE_CORRUPT', `Cannot read ${path}: line ${number}: ${(error as Error).message}`, { cause: error })
  }
}

function cutTornLine (path: string): void {
  const bytes = readFileSync(path)
  truncateSync(path, bytes.lastIndexOf(10) + 1)
}
