// Whether the engine sees this host's files: a remote engine, or one in a virtual machine, binds folders of another host.
// Found out by what a sandbox does: a folder with a word that nobody else knows is bound beside the system's programs, and a
// container reads the word back.

import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import { SparError, toPlain } from '../../errors.ts'
import type { Clock } from '../../ports.ts'
import type { Owner } from '../owner.ts'
import { ownerFile } from '../process/reap.ts'
import type { Bind } from './binds.ts'
import type { ContainerPlan } from './config.ts'
import type { Engine } from './engine.ts'

const seenPath = '/mnt/spar'
const answerMsMax = 30_000

export interface SightOptions { engine: Engine; home: string; owner: Owner; clock: Clock; /** The container, but for what it runs and sees of the word. */ plan: (binds: Bind[], command: string[]) => Promise<ContainerPlan> }

/** Throws SANDBOX_ENGINE_ELSEWHERE when it does not. */
export async function assertSeesHost (options: SightOptions): Promise<void> {
  const folder = join(resolve(options.home), 'sandboxes')
  mkdirSync(folder, { recursive: true })
  const own = mkdtempSync(join(folder, '.sight-'))
  const word = randomBytes(12).toString('hex')
  try {
    chmodSync(own, 0o755)
    writeFileSync(join(own, ownerFile), JSON.stringify(options.owner))
    writeFileSync(join(own, 'word'), word)
    const said = await answerOf(options, own)
    if (said.trim() !== word) throw elsewhere(said.trim() === '' ? 'a container could not read a file that was shown to it' : `a container read ${JSON.stringify(said.slice(0, 100))} instead of what is here`)
  } catch (error) {
    if (error instanceof SparError) throw error
    throw elsewhere(toPlain(error).message)
  } finally { await rm(own, { recursive: true, force: true }) }
}

async function answerOf ({ engine, clock, plan }: SightOptions, folder: string): Promise<string> {
  const container = await engine.create(await plan([{ from: folder, to: seenPath }], ['/bin/sh', '-c', `cat ${seenPath}/word`]))
  try {
    const { stream, output } = await engine.start(container)
    let said = ''
    const read = (async () => { for await (const chunk of output) said += String(chunk) })()
    const late = new AbortController()
    await Promise.race([read, clock.sleep(answerMsMax, late.signal).catch(() => {})])
    late.abort()
    stream.destroy()
    return said
  } finally { await engine.remove(container) }
}

function elsewhere (reason: string): SparError {
  return new SparError('SANDBOX_ENGINE_ELSEWHERE', 'Cannot open Docker sandboxes for a directory: the engine does not see the programs and files of this machine, as one on another machine or in a virtual machine does not ' +
    `(${reason}). Name an image that holds the tree as docker:image#/path, or use --sandbox process`, { data: { reason } })
}
