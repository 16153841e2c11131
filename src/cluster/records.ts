// The records of a run: how every piece of work ended, with its result. The first ending of a work stays, whoever wrote it:
// a node that was paused, cut off or slow adds nothing and takes nothing away.

import { formatManifest, namedFiles, parseManifest, createBug, type Artifact } from '../artifact/index.ts'
import type { Bus } from '../bus/types.ts'
import type { ArtifactFiles } from '../domain.ts'
import { resultPath, type WorkOutput } from '../store/episodes.ts'
import { attach, detach, type Attachment } from './attachments.ts'
import { createEndings, type Endings } from './endings.ts'
import { clusterLimits } from './limits.ts'
import { pack, unpack } from './codec.ts'
import { recordKey } from './keys.ts'
import type { Retry } from './retry.ts'

/** By whom something was made, at which delivery (from 1), from when to when (milliseconds since 1970). */
export interface Made { delivery: number; node: string; startedAt: number; at: number }

/** What became of a piece of work. */
export type Ending = Made & (
  | { kind: 'settled'; result: Attachment; files: Attachment[]; artifact: KeptArtifact | null }
  | { kind: 'cancelled'; reason: string }
  | { kind: 'quarantined'; code: string; reason: string; failures: Failure[] })

interface KeptArtifact { folder: string; parser: string; parent: string | null; files: Attachment[] }
export interface Failure { delivery: number; node: string; at: number; code: string; reason: string }
export interface Dispatched { kind: string; arena: string; at: number }

export const readEnding = (bytes: Uint8Array, key: string): Ending => unpack<Ending>(bytes, `the record ${key}`)

/** `ended`: of work from the queue. `kept`: of what an episode's owner does itself. */
export type Committed = 'ended' | 'kept'

export interface Records {
  ending (run: string, work: string, entry?: Committed): Promise<Ending | null>
  /** What an entry that was followed says. */
  read (key: string, bytes: Uint8Array): Ending
  /** Resolves to the ending that stands: this one, or the one that was there. */
  end (run: string, work: string, ending: Ending, entry?: Committed): Promise<Ending>
  dispatch (run: string, work: string, dispatched: Dispatched): Promise<void>
  fail (run: string, work: string, failure: Failure): Promise<void>
  failures (run: string, work: string, deliveries: number): Promise<Failure[]>
}

/** `onKept` is told what was written into the ledger by this node, and was not there before. */
export function createRecords (bus: Bus, retry: Retry, endings: Endings = createEndings(clusterLimits.endingsBytesMax), onKept: (run: string, state: 'dispatched' | Ending['kind']) => void = () => {}): Records {
  const log = bus.log.records
  return {
    async ending (run, work, entry = 'ended') {
      const key = recordKey(run, work, entry)
      const known = endings.get(key)
      if (known !== null) return known
      const bytes = await retry(() => log.get(key))
      return bytes === null ? null : this.read(key, bytes)
    },
    read (key, bytes) {
      const known = endings.get(key)
      if (known !== null) return known
      const ending = readEnding(bytes, key)
      endings.keep(key, ending)
      return ending
    },
    async end (run, work, ending, entry = 'ended') {
      const key = recordKey(run, work, entry)
      if (await retry(() => log.create(key, pack(ending))) === 'present') return (await this.ending(run, work, entry))!
      endings.keep(key, ending)
      if (entry === 'ended') onKept(run, ending.kind)
      return ending
    },
    async dispatch (run, work, dispatched) {
      if (await retry(() => log.create(recordKey(run, work, 'dispatched'), pack(dispatched))) === 'created') onKept(run, 'dispatched')
    },
    async fail (run, work, failure) { await retry(() => log.create(recordKey(run, work, `failed.${failure.delivery}`), pack(failure))) },
    async failures (run, work, deliveries) {
      const numbers = Array.from({ length: deliveries }, (_, index) => index + 1)
      const found = await Promise.all(numbers.map(number => retry(() => log.get(recordKey(run, work, `failed.${number}`)))))
      return found.filter(bytes => bytes !== null).map(bytes => unpack<Failure>(bytes, `the failures of ${work}`))
    }
  }
}

/** What a handler returned, as an ending. Its bytes are kept first: an ending names nothing that is not there. */
export async function settledEnding (bus: Bus, retry: Retry, work: string, output: WorkOutput, by: Made): Promise<Ending> {
  const { result, files, artifact } = output
  const things = [
    { name: resultPath(work), bytes: Buffer.from(JSON.stringify(result)) },
    ...files.map(({ path, bytes }) => ({ name: path, bytes })),
    ...artifact === null ? [] : [...namedFiles(artifact.bug.files), { name: 'manifest.json', bytes: Buffer.from(formatManifest(artifact.manifest)) }]
  ]
  const [kept, ...attached] = await retry(() => attach(bus.objects, things))
  return {
    ...by, kind: 'settled', result: kept!, files: attached.slice(0, files.length),
    artifact: artifact === null ? null : { folder: artifact.folder, parser: artifact.bug.files.parserName, parent: artifact.bug.parent, files: attached.slice(files.length) }
  }
}

export async function readAttachment (bus: Bus, retry: Retry, attachment: Attachment): Promise<Uint8Array> {
  return await retry(() => detach(bus.objects, attachment))
}

/** Of the endings that are still around: a result is read and parsed once, an artifact read, hashed and parsed. */
const results = new WeakMap<Ending, Promise<unknown>>()
const artifacts = new WeakMap<Ending, Promise<Artifact>>()

/** The result of an ending; null where it has none. It is everybody's who asks: nobody changes it. */
export async function readEndingResult<T> (bus: Bus, retry: Retry, ending: Ending | null): Promise<T | null> {
  if (ending?.kind !== 'settled') return null
  const reading = results.get(ending) ?? readResult(bus, retry, ending.result)
  results.set(ending, reading)
  reading.catch(() => results.delete(ending))
  return await reading as T
}

async function readResult (bus: Bus, retry: Retry, result: Attachment): Promise<unknown> {
  const { buffer, byteOffset, length } = await readAttachment(bus, retry, result)
  return JSON.parse(Buffer.from(buffer, byteOffset, length).toString('utf8')) as unknown
}

/** The artifact of an ending; null where it has none. */
export async function readEndingArtifact (bus: Bus, retry: Retry, ending: Ending): Promise<Artifact | null> {
  if (ending.kind !== 'settled' || ending.artifact === null) return null
  const reading = artifacts.get(ending) ?? readArtifact(bus, retry, ending.artifact)
  artifacts.set(ending, reading)
  reading.catch(() => artifacts.delete(ending))
  return await reading
}

async function readArtifact (bus: Bus, retry: Retry, { parser, parent, files }: KeptArtifact): Promise<Artifact> {
  const named = new Map(await Promise.all(files.map(async file => [file.name, await readAttachment(bus, retry, file)] as const)))
  const bug = createBug(filesOf(named, parser), parent)
  return { bug, manifest: parseManifest(Buffer.from(named.get('manifest.json')!).toString('utf8'), bug.id) }
}

function filesOf (named: ReadonlyMap<string, Uint8Array>, parserName: string): ArtifactFiles {
  const read = (name: string): Uint8Array => named.get(name)!
  return {
    testScript: read('test_script.sh'), testFiles: read('test_files.txt'), testParser: read(parserName), parserName,
    bugInject: read('bug_inject.diff'), testWeaken: read('test_weaken.diff'), predPatch: named.get('pred_patch.diff') ?? null
  }
}
