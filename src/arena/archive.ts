// Unpacks a gzipped tar from a registry into a folder, as if it were hostile: no entry may leave the folder or go through
// a link, and sizes are capped while they are counted, not as the archive states them. Formats: ustar, GNU long names,
// pax. Only files, folders and links that stay inside come out; devices and the like are refused.

import { chmod, link, lstat, mkdir, open, symlink, utimes } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { SparError } from '../errors.ts'
import type { ArenaLimits } from './limits.ts'

type Limits = Pick<ArenaLimits, 'archiveBytesMax' | 'archiveEntriesMax' | 'archivePathMax'>

export interface ArchiveEntry { path: string; type: 'file' | 'directory' | 'symlink' | 'hardlink'; bytes: number }

interface Header { path: string; size: number; mode: number; mtime: number; type: string; link: string }

const block = 512

/**
 * Strips the first folder of every path, which registries put there. Returns what was written. `links: 'any'` is for what a
 * sandbox gives back: a link may then lead anywhere, as it does in the sandbox; nothing is written through it either way.
 */
export async function unpack (name: string, archive: Uint8Array, folder: string, limits: Limits, links: 'inside' | 'any' = 'inside'): Promise<ArchiveEntry[]> {
  const refuse = (why: string): SparError => new SparError('ARENA_BAD_ARCHIVE', `Cannot unpack ${name}: ${why}`, { data: { archive: name } })
  const reader = new Blocks(archive, limits.archiveBytesMax, refuse)
  const entries: ArchiveEntry[] = []
  let pax: Record<string, string> = {}
  let longPath: string | null = null
  let longLink: string | null = null
  await mkdir(folder, { recursive: true })
  try {
    for (;;) {
      const head = await reader.read(block)
      if (head === null || head.every(byte => byte === 0)) break
      const header = parseHeader(head, refuse)
      if ('xgLK'.includes(header.type)) {
        if (header.size > limits.archivePathMax * 64) throw refuse(`a name or attribute of ${header.size} bytes is over the limit`)
        const body = await reader.body(header.size)
        if (header.type === 'x') pax = { ...pax, ...parsePax(body) }
        else if (header.type === 'L') longPath = text(body)
        else if (header.type === 'K') longLink = text(body)
        continue
      }
      header.path = pax['path'] ?? longPath ?? header.path
      header.link = pax['linkpath'] ?? longLink ?? header.link
      if (pax['size'] !== undefined) header.size = Number(pax['size'])
      pax = {}
      longPath = longLink = null
      if (entries.length >= limits.archiveEntriesMax) throw refuse(`it has more than archiveEntriesMax = ${limits.archiveEntriesMax} entries`)
      const entry = await extract(header, folder, reader, { ...limits, links }, refuse)
      if (entry !== null) entries.push(entry)
    }
  } finally {
    reader.close()
  }
  if (entries.length === 0) throw refuse('it is empty')
  return entries
}

async function extract (header: Header, folder: string, reader: Blocks, limits: Limits & { links: 'inside' | 'any' }, refuse: (why: string) => SparError): Promise<ArchiveEntry | null> {
  const path = safePath(header.path, limits.archivePathMax, refuse)
  const kind = kindOf(header.type)
  if (kind === null) throw refuse(`"${header.path}" is a device or of unknown type "${header.type}"`)
  if (path === '') {
    await reader.body(header.size)
    return null
  }
  const target = join(folder, path)
  await makeFolder(folder, kind === 'directory' ? path : posix.dirname(path), refuse)
  if (kind === 'directory') return { path, type: kind, bytes: 0 }
  if (await exists(target)) {
    // The last entry of a name wins, as tar does; a link or folder in its place is refused.
    if (!(await lstat(target)).isFile()) throw refuse(`"${path}" appears twice`)
  }
  if (kind === 'file') {
    const handle = await open(target, 'w', header.mode & 0o111 ? 0o755 : 0o644)
    try {
      await reader.stream(header.size, chunk => handle.write(chunk))
    } finally {
      await handle.close()
    }
    await chmod(target, header.mode & 0o111 ? 0o755 : 0o644)
    if (header.mtime > 0) await utimes(target, header.mtime, header.mtime)
    return { path, type: kind, bytes: header.size }
  }
  if (kind === 'symlink') {
    const end = posix.normalize(posix.join(posix.dirname(path), header.link))
    const isOutside = posix.isAbsolute(header.link) || end === '..' || end.startsWith('../')
    if (header.link === '' || header.link.includes('\0') || (isOutside && limits.links === 'inside')) {
      throw refuse(`link "${path}" leads outside of the archive, to "${header.link}"`)
    }
    await symlink(header.link, target).catch(() => { throw refuse(`"${path}" appears twice`) })
    return { path, type: kind, bytes: 0 }
  }
  const from = safePath(header.link, limits.archivePathMax, refuse)
  await makeFolder(folder, posix.dirname(from), refuse)
  if (!await exists(join(folder, from)) || !(await lstat(join(folder, from))).isFile()) throw refuse(`link "${path}" names no file of the archive, "${header.link}"`)
  await link(join(folder, from), target).catch(() => { throw refuse(`"${path}" appears twice`) })
  return { path, type: kind, bytes: 0 }
}

function kindOf (type: string): ArchiveEntry['type'] | null {
  if (type === '0' || type === '\0' || type === '7') return 'file'
  if (type === '5') return 'directory'
  if (type === '2') return 'symlink'
  return type === '1' ? 'hardlink' : null
}

/** The path without its first folder; refused when it is absolute, climbs, or names a .git. */
function safePath (path: string, lengthMax: number, refuse: (why: string) => SparError): string {
  if (path.length > lengthMax) throw refuse(`a path of ${path.length} characters is over archivePathMax = ${lengthMax}`)
  if (path.startsWith('/') || path.includes('\0') || path.includes('\\') || /^[A-Za-z]:/.test(path)) throw refuse(`"${path}" is no relative path`)
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  if (parts.includes('..')) throw refuse(`"${path}" leads outside of the archive`)
  if (parts.some(part => part.toLowerCase() === '.git')) throw refuse(`"${path}" would write into a .git`)
  return parts.slice(1).join('/')
}

/** Makes the folders of a path, none of which may be a link. */
async function makeFolder (root: string, path: string, refuse: (why: string) => SparError): Promise<void> {
  let at = root
  for (const part of path.split('/').filter(part => part !== '' && part !== '.')) {
    at = join(at, part)
    try {
      await mkdir(at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (!(await lstat(at)).isDirectory()) throw refuse(`"${path}" leads through "${part}", which is a link or a file`)
    }
  }
}

async function exists (path: string): Promise<boolean> {
  return lstat(path).then(() => true, () => false)
}

function parseHeader (head: Buffer, refuse: (why: string) => SparError): Header {
  const sum = head.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0)
  if (sum !== octal(head, 148, 8)) throw refuse('it is damaged: a header has the wrong checksum')
  const prefix = head.toString('latin1', 257, 262) === 'ustar' ? text(head.subarray(345, 500)) : ''
  const name = text(head.subarray(0, 100))
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    size: octal(head, 124, 12),
    mode: octal(head, 100, 8),
    mtime: octal(head, 136, 12),
    type: String.fromCharCode(head[156]!),
    link: text(head.subarray(157, 257))
  }
}

function octal (head: Buffer, from: number, length: number): number {
  // Sizes of 8 GiB and more are written in base 256; far over every limit.
  if (head[from]! & 0x80) return Number.MAX_SAFE_INTEGER
  const value = parseInt(head.toString('latin1', from, from + length).replace(/[\0 ]+$/g, '').trim() || '0', 8)
  return Number.isSafeInteger(value) && value >= 0 ? value : 0
}

function text (bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end)
}

/** Records `length key=value\n`. */
function parsePax (body: Buffer): Record<string, string> {
  const values: Record<string, string> = {}
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at)
    const length = Number(body.toString('latin1', at, space))
    if (space === -1 || !(length > 0)) break
    const record = body.toString('utf8', space + 1, at + length - 1)
    values[record.slice(0, record.indexOf('='))] = record.slice(record.indexOf('=') + 1)
    at += length
  }
  return values
}

/** The decompressed stream, block by block, counted. */
class Blocks {
  readonly #stream: ReturnType<typeof createGunzip>
  readonly #chunks: AsyncIterator<Buffer>
  readonly #bytesMax: number
  readonly #refuse: (why: string) => SparError
  #buffer: Buffer = Buffer.alloc(0)
  #total = 0

  constructor (archive: Uint8Array, bytesMax: number, refuse: (why: string) => SparError) {
    // Reading tells of an error; until somebody reads it must not be nobody's.
    this.#stream = createGunzip().on('error', () => {})
    this.#chunks = Readable.from([Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength)]).pipe(this.#stream)[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    this.#bytesMax = bytesMax
    this.#refuse = refuse
  }

  /** Exactly so many bytes, or null at the end. */
  async read (size: number): Promise<Buffer | null> {
    while (this.#buffer.length < size) {
      const chunk = await this.#next()
      if (chunk === null) {
        if (this.#buffer.length === 0) return null
        throw this.#refuse('it ends in the middle of an entry')
      }
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    }
    const taken = this.#buffer.subarray(0, size)
    this.#buffer = this.#buffer.subarray(size)
    return taken
  }

  async body (size: number): Promise<Buffer> {
    const parts: Buffer[] = []
    await this.stream(size, async chunk => { parts.push(Buffer.from(chunk)) })
    return Buffer.concat(parts)
  }

  /** So many bytes in pieces, and the padding behind them. */
  async stream (size: number, take: (chunk: Buffer) => Promise<unknown>): Promise<void> {
    if (size > this.#bytesMax) throw this.#refuse(`an entry of ${size} bytes is over archiveBytesMax = ${this.#bytesMax}`)
    let left = size
    while (left > 0) {
      const chunk = this.#buffer.length > 0 ? await this.read(Math.min(left, this.#buffer.length)) : await this.#next()
      if (chunk === null) throw this.#refuse('it ends in the middle of an entry')
      const part = chunk.subarray(0, left)
      if (chunk.length > left) this.#buffer = chunk.subarray(left)
      await take(part)
      left -= part.length
    }
    const padding = (block - size % block) % block
    if (padding > 0) await this.read(padding)
  }

  async #next (): Promise<Buffer | null> {
    let item: IteratorResult<Buffer>
    try {
      item = await this.#chunks.next()
    } catch {
      throw this.#refuse('it is no gzipped tar, or it is damaged')
    }
    if (item.done) return null
    this.#total += item.value.length
    if (this.#total > this.#bytesMax) throw this.#refuse(`it unpacks to more than archiveBytesMax = ${this.#bytesMax} bytes`)
    return item.value
  }

  close (): void { this.#stream.destroy() }
}

