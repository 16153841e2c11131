// The arenas that were opened, one folder each: `<home>/arenas/<id>/`. A folder is an arena once it holds arena.json, which
// is written last and by renaming; a folder without it is being opened, or was left by a crash and is removed then.
//
// opening.json names the process that is at work in the folder.

import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { currentOwner, processStartedAt } from '../sandbox/owner.ts'

/** What is kept beside the arena, to find it again and for people. */
export interface ArenaRecord {
  arena: Arena
  /** What the target stood for: source.ts. */
  key: string
  label: string
  setup: string | null
  /** Versions of the host's tools that the environment was made with. */
  toolchain: string
  evidence: string
  dropped: { path: string; reason: string }[]
  notes: string[]
}

export interface ArenaStore {
  list (): Promise<ArenaRecord[]>
  /** By id, unambiguous beginning of one, target or name; ARENA_UNKNOWN, ARENA_AMBIGUOUS. */
  find (wanted: string): Promise<ArenaRecord>
  load (wanted: string): Promise<Arena>
  remove (wanted: string): Promise<ArenaRecord>
  /** A new folder of this store for what is not yet an arena. */
  workspace (): Promise<string>
  /** Moves a folder to the place of an arena. Returns the record instead when another process has opened it meanwhile. */
  claim (id: string, folder: string): Promise<{ dir: string } | ArenaRecord>
  /** Makes the claimed folder an arena. */
  complete (record: ArenaRecord): Promise<void>
  abandon (id: string): Promise<void>
}

const waitMsMax = 1_800_000
const waitStepMs = 250

export async function openStore (home: string, clock: Clock): Promise<ArenaStore> {
  const root = join(home, 'arenas')
  const opening = join(root, '.opening')
  await mkdir(opening, { recursive: true })
  await sweep(root, opening)
  const dirOf = (id: string): string => join(root, id)

  const store: ArenaStore = {
    list: async () => {
      const names = (await readdir(root)).filter(name => /^[0-9a-f]{16}$/.test(name)).sort()
      const records = await Promise.all(names.map(name => readRecord(dirOf(name))))
      return records.filter(record => record !== null)
    },
    find: async wanted => {
      const records = await store.list()
      const exact = records.filter(({ arena }) => arena.id === wanted)
      const found = exact.length > 0 ? exact : records.filter(({ arena }) => arena.target === wanted || arena.name === wanted || (wanted.length >= 4 && arena.id.startsWith(wanted)))
      if (found.length === 1) return found[0]!
      if (found.length === 0) throw new SparError('ARENA_UNKNOWN', `There is no arena "${wanted}". spar arena list names those that were opened, spar arena add <target> opens one`)
      throw new SparError('ARENA_AMBIGUOUS', `"${wanted}" fits ${found.length} arenas: ${found.map(({ arena }) => arena.id).join(', ')}. Name one by its id`)
    },
    load: async wanted => (await store.find(wanted)).arena,
    remove: async wanted => {
      const record = await store.find(wanted)
      await discard(dirOf(record.arena.id), opening)
      return record
    },
    workspace: async () => {
      const folder = await mkdtemp(join(opening, 'work-'))
      await writeOwner(folder)
      return folder
    },
    claim: async (id, folder) => {
      const dir = dirOf(id)
      await writeOwner(folder)
      for (let waitedMs = 0; waitedMs < waitMsMax; waitedMs += waitStepMs) {
        try {
          await rename(folder, dir)
          return { dir }
        } catch (error) {
          if (!['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
        }
        const record = await readRecord(dir)
        if (record !== null) return record
        if (await isAbandoned(dir)) await discard(dir, opening)
        else await clock.sleep(waitStepMs)
      }
      throw new SparError('ARENA_BUSY', `Cannot open arena ${id}: another process has been opening it for ${waitMsMax / 60_000} minutes. Try again, or remove ${dir}`, { retryable: true })
    },
    complete: async record => {
      const dir = dirOf(record.arena.id)
      await writeFile(join(dir, 'arena.json.new'), JSON.stringify(record, null, 2) + '\n')
      await rename(join(dir, 'arena.json.new'), join(dir, 'arena.json'))
      await rm(join(dir, 'opening.json'), { force: true })
    },
    abandon: id => discard(dirOf(id), opening)
  }
  return store
}

async function readRecord (dir: string): Promise<ArenaRecord | null> {
  try {
    return JSON.parse(await readFile(join(dir, 'arena.json'), 'utf8')) as ArenaRecord
  } catch {
    return null
  }
}

async function writeOwner (folder: string): Promise<void> {
  const { machine, boot, pid, startedAt } = currentOwner()
  await writeFile(join(folder, 'opening.json'), JSON.stringify({ machine, boot, pid, startedAt }))
}

/** Only a process of this machine can be known to be gone. */
async function isAbandoned (folder: string): Promise<boolean> {
  try {
    const owner = JSON.parse(await readFile(join(folder, 'opening.json'), 'utf8')) as { machine: string; boot: string; pid: number; startedAt: string }
    const own = currentOwner()
    if (owner.machine !== own.machine) return false
    return owner.boot !== own.boot || processStartedAt(owner.pid) !== owner.startedAt
  } catch {
    return false
  }
}

/** Out of sight first: a removal that breaks off must not leave an arena without half of its files. */
async function discard (dir: string, opening: string): Promise<void> {
  const aside = join(await mkdtemp(join(opening, 'gone-')), 'arena')
  try {
    await rename(dir, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  await removeAll(join(aside, '..'))
}

export async function removeAll (folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true })
  } catch {
    // Folders without write permission, as Go's module cache has them.
    try { execFileSync('chmod', ['-R', 'u+rwX', folder], { stdio: 'ignore' }) } catch { /* rm says what is wrong */ }
    await rm(folder, { recursive: true, force: true })
  }
}

async function sweep (root: string, opening: string): Promise<void> {
  for (const name of await readdir(opening)) {
    const folder = join(opening, name)
    if (name.startsWith('gone-') || await isAbandoned(folder)) await removeAll(folder).catch(() => {})
  }
  for (const name of (await readdir(root)).filter(name => /^[0-9a-f]{16}$/.test(name))) {
    const dir = join(root, name)
    if (await readRecord(dir) === null && await isAbandoned(dir)) await discard(dir, opening)
  }
}
