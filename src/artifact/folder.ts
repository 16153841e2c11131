// A bug as a folder of files. Immutable: a folder appears whole (written beside its place, then renamed), and is never
// written again. Reading trusts nothing: sizes are capped, links refused, and the id is computed, not believed.

import { mkdir, mkdtemp, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { constants } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { ArtifactFiles, Bug } from '../domain.ts'
import { SparError } from '../errors.ts'
import { createBug, namedFiles } from './bug-id.ts'
import { formatManifest, parseManifest, type Manifest } from './manifest.ts'
import { canonicalNames, isParserName, manifestName, otherNames } from './names.ts'

export const artifactLimits = {
  /** Of each of the files. */
  fileBytesMax: 16 * 2 ** 20,
  manifestBytesMax: 64 * 2 ** 20
}

export interface Artifact { bug: Bug; manifest: Manifest | null }

/** Reads a bug folder, of either set of names. Throws ARTIFACT_NOT_FOUND, _MISSING_FILE, _AMBIGUOUS, _TOO_LARGE, _BAD_MANIFEST, _ID_MISMATCH. */
export async function readArtifact (dir: string): Promise<Artifact> {
  const names = await listFolder(dir)
  const parserName = onlyOne(dir, names.filter(isParserName), 'test_parser.*')
  const read = async (file: keyof typeof canonicalNames): Promise<Uint8Array> =>
    await readCapped(join(dir, onlyOne(dir, names.filter(name => name === canonicalNames[file] || name === otherNames[file]), canonicalNames[file])), artifactLimits.fileBytesMax)
  const files: ArtifactFiles = {
    testScript: await read('testScript'),
    testFiles: await read('testFiles'),
    testParser: await readCapped(join(dir, parserName), artifactLimits.fileBytesMax),
    parserName,
    bugInject: await read('bugInject'),
    testWeaken: await read('testWeaken'),
    predPatch: names.includes(canonicalNames.predPatch) ? await read('predPatch') : null
  }
  const manifest = names.includes(manifestName) ? await readManifest(join(dir, manifestName)) : null
  const bug = createBug(files, manifest?.parent ?? null)
  if (manifest !== null && manifest.id !== bug.id) {
    throw new SparError('ARTIFACT_ID_MISMATCH', `Cannot trust ${dir}: its manifest names ${manifest.id}, its files are ${bug.id}`, { data: { manifest: manifest.id, files: bug.id } })
  }
  return { bug, manifest }
}

/**
 * Writes a bug folder at `dir`. Writing the same bug again changes nothing, its manifest included; another bug under the
 * same path throws ARTIFACT_CONFLICT, a disk that takes no more STORE_WRITE_FAILED.
 */
export async function writeArtifact (dir: string, bug: Bug, manifest: Manifest): Promise<void> {
  if (createBug(bug.files).id !== bug.id || manifest.id !== bug.id) throw new SparError('ARTIFACT_ID_MISMATCH', `Cannot write ${dir}: bug ${bug.id}, its manifest and its files do not agree`)
  if (await isWritten(dir, bug)) return
  let draft = null
  try {
    await mkdir(dirname(dir), { recursive: true })
    draft = await mkdtemp(join(dirname(dir), `.${basename(dir)}-`))
    for (const { name, bytes } of namedFiles(bug.files)) await writeFile(join(draft, name), bytes)
    await writeFile(join(draft, manifestName), formatManifest(manifest))
    await rename(draft, dir)
  } catch (error) {
    if (draft !== null) await rm(draft, { recursive: true, force: true })
    // Somebody else was faster: the same bug is fine, another one is not.
    if (await isWritten(dir, bug)) return
    throw new SparError('STORE_WRITE_FAILED', `Cannot write ${dir}: ${(error as Error).message}`, { retryable: true, cause: error })
  }
}

async function isWritten (dir: string, bug: Bug): Promise<boolean> {
  let found: Artifact
  try {
    found = await readArtifact(dir)
  } catch (error) {
    if (error instanceof SparError && error.code === 'ARTIFACT_NOT_FOUND') return false
    throw error
  }
  if (found.bug.id !== bug.id) throw new SparError('ARTIFACT_CONFLICT', `Cannot write ${bug.id} to ${dir}: ${found.bug.id} is there, and a bug is never written over`)
  return true
}

async function listFolder (dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new SparError('ARTIFACT_NOT_FOUND', `Cannot read bug folder ${dir}: there is no such folder`, { cause: error })
    throw error
  }
}

function onlyOne (dir: string, found: readonly string[], wanted: string): string {
  if (found.length === 0) throw new SparError('ARTIFACT_MISSING_FILE', `Cannot read bug folder ${dir}: ${wanted} is missing`, { data: { file: wanted } })
  if (found.length > 1) throw new SparError('ARTIFACT_AMBIGUOUS', `Cannot read bug folder ${dir}: ${found.join(' and ')} are both there, keep one`, { data: { files: found } })
  return found[0]!
}

async function readManifest (path: string): Promise<Manifest> {
  return parseManifest(Buffer.from(await readCapped(path, artifactLimits.manifestBytesMax)).toString('utf8'), path)
}

async function readCapped (path: string, bytesMax: number): Promise<Uint8Array> {
  let file
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error
    throw new SparError('ARTIFACT_LINK', `Cannot read ${path}: it is a symbolic link`)
  }
  try {
    const { size } = await file.stat()
    if (size > bytesMax) throw new SparError('ARTIFACT_TOO_LARGE', `Cannot read ${path}: ${size} bytes, the limit is ${bytesMax}`)
    return new Uint8Array(await file.readFile())
  } finally {
    await file.close()
  }
}
