// Writes a run in a format of others: beside its place first, then renamed, so that an export is there whole or not at all.
// A folder that holds an earlier export is replaced, anything else is left alone.

import { existsSync, readdirSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { SparError } from '../errors.ts'
import type { RunStore } from '../store/run.ts'
import { exportedBugs } from './bugs.ts'
import type { OpenTree } from './combine.ts'
import { writeHarbor } from './harbor.ts'
import { prepareBase } from './image.ts'
import { writeSamples } from './samples.ts'
import { writeSwebench } from './swebench.ts'
import { writeSwesmith } from './swesmith.ts'
import type { Exported, Format, LeftOut } from './types.ts'

export { formats, type Exported, type Format, type LeftOut } from './types.ts'

export interface ExportOptions {
  format: Format
  out: string
  /** Bugs up to this order. */
  orderMax: number
  /** Base image instead of the arena's own, or null. */
  image: string | null
}

/** Says what a folder is, and that it may be replaced by the next export. */
const marker = 'export.json'

export async function exportRun (store: RunStore, options: ExportOptions, openTree: OpenTree): Promise<Exported> {
  const { format, out } = options
  const isOurs = existsSync(join(out, marker))
  if (existsSync(out) && !isOurs && readdirSync(out).length > 0) {
    throw new SparError('EXPORT_FOLDER_NOT_EMPTY', `Cannot export to ${out}: the folder holds something that is no export. Use another --out.`)
  }
  const draft = join(dirname(out), `.${basename(out)}-${randomUUID()}.draft`)
  try {
    await mkdir(draft, { recursive: true })
    const written = await writeFormat(store, draft, options, openTree)
    const exported = { format, out, ...written }
    await writeFile(join(draft, marker), JSON.stringify({ run: store.run, ...exported }, null, 2) + '\n')
    await rm(out, { recursive: true, force: true })
    await rename(draft, out)
    return exported
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw error
  }
}

async function writeFormat (store: RunStore, folder: string, { format, orderMax, image }: ExportOptions, openTree: OpenTree): Promise<{ instances: number; leftOut: LeftOut[] }> {
  if (format === 'jsonl') return await writeSamples(folder, store)
  const exported = await exportedBugs(store, openTree, orderMax)
  if (format === 'swesmith') return await writeSwesmith(folder, exported)
  // Beside the tasks until they have linked to it.
  const shared = join(folder, '.shared')
  const base = await prepareBase(exported.arena, shared, { image, node: store.file().node })
  const written = format === 'harbor' ? await writeHarbor(folder, exported, base) : await writeSwebench(folder, exported, base, store.run)
  await rm(shared, { recursive: true, force: true })
  return written
}
