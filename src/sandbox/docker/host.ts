// One Docker sandbox. The container's main process is the keeper, attached from the start: no `docker exec` at all. When
// the shell ends the container stops, and a fresh shell is the same container started again on the same files.

import { rm } from 'node:fs/promises'
import type { Duplex } from 'node:stream'

import { SparError, toPlain } from '../../errors.ts'
import type { Clock, SandboxLimits, SandboxSpec } from '../../ports.ts'
import { shellQuote } from '../../quote.ts'
import type { Held, Room } from '../disk.ts'
import { keeperScript } from '../frame.ts'
import { writeLease, type Lease } from '../lease.ts'
import { lost, type SandboxHost } from '../session.ts'
import type { Channel } from '../shell.ts'
import type { ContainerPlan } from './config.ts'
import type { ContainerState, Engine } from './engine.ts'

const goneMsMax = 5_000
const goneStepMs = 50
const endedMsMax = 1_000
/** Of a process that died of SIGKILL. */
const killedExit = 137
/** In an image of somebody else's. */
export const imageScratchPath = '/var/tmp/spar'
/** The tree of a view that has none: the image's own is covered. */
export const imageEmptyPath = '/var/tmp/spar-tree'
/** In the container's layer: the view has been made. */
const viewMark = '/var/tmp/.spar-view'

/** What the view must not show, in an image that holds more. Once: a later start must not take a repository away that was made inside since. */
export function withoutHistory (tree: string): string {
  return `[ -e ${viewMark} ] || { rm -rf -- ${shellQuote(`${tree}/.git`)} && : >${viewMark}; } || exit 70`
}

/** Prepares the container, then keeps the shell. Runs in the container, with nothing but its rights. */
export function mainCommand (scratch: string, preparation: string[] = []): string[] {
  return ['/bin/sh', '-c', [`mkdir -p ${scratch} /tmp/home || exit 71`, ...preparation, keeperScript('bash --noprofile --norc')].join('\n')]
}

export interface DockerHostOptions { engine: Engine; clock: Clock; container: string; plan: ContainerPlan; /** Of the lease, on this host. */ folder: string; lease: Lease }

export class DockerHost implements SandboxHost {
  readonly id: string
  readonly kind = 'docker'
  readonly isolation: string
  readonly tree: string
  readonly scratch: string
  readonly shellLimits: SandboxHost['shellLimits']
  readonly limits: SandboxLimits
  readonly #engine: Engine
  readonly #clock: Clock
  readonly #container: string
  readonly #folder: string
  readonly #lease: Lease
  #memoryKills = 0

  constructor ({ engine, clock, container, plan, folder, lease }: DockerHostOptions) {
    this.#engine = engine
    this.#clock = clock
    this.#container = container
    this.#folder = folder
    this.#lease = lease
    this.id = plan.name
    this.isolation = plan.runtime === null ? 'docker' : `docker:${plan.runtime}`
    this.tree = plan.tree
    this.scratch = plan.scratch
    this.shellLimits = { fileBytes: plan.limits.fileBytes, pids: null }
    this.limits = plan.limits
  }

  async start (): Promise<Channel> {
    try {
      const { stream, output } = await this.#engine.start(this.#container)
      return new ContainerChannel(this.#engine, this.#clock, this.#container, stream, output)
    } catch (error) {
      if (error instanceof SparError) throw error
      throw lost(this.id, toPlain(error).message, error)
    }
  }

  /** The engine remembers a strike only of the container's last life, and only while it is stopped. */
  async memoryKills (): Promise<number> {
    const state = await this.#engine.state(this.#container)
    if (state?.outOfMemory === true) this.#memoryKills++
    return this.#memoryKills
  }

  async room (): Promise<Room | null> {
    return await this.#engine.room()
  }

  /** To count files the engine compares the layer with its image, which takes it a while. */
  async held (files: boolean): Promise<Held> {
    const bytes = await this.#engine.layerBytes(this.#container)
    return { bytes, files: files ? await this.#engine.layerFiles(this.#container, this.limits.diskFiles) : null }
  }

  relabel ({ run, purpose }: SandboxSpec['label']): void {
    writeLease(this.#folder, Object.assign(this.#lease, { run, purpose }))
  }

  async remove (): Promise<void> {
    await this.#removeContainer()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #removeContainer (): Promise<void> {
    // Removal goes on in the engine when another call for it is under way already.
    for (let waitedMs = 0; waitedMs < goneMsMax; waitedMs += goneStepMs) {
      await this.#engine.remove(this.#container)
      if (await this.#engine.state(this.#container) === null) return
      await this.#clock.sleep(goneStepMs)
    }
    throw lost(this.id, `its container is there still, ${goneMsMax} ms after it was to be removed`)
  }
}

class ContainerChannel implements Channel {
  readonly closed: Promise<void>
  readonly #engine: Engine
  readonly #clock: Clock
  readonly #container: string
  readonly #stream: Duplex
  readonly #output: NodeJS.ReadableStream
  #killing: Promise<void> | null = null

  constructor (engine: Engine, clock: Clock, container: string, stream: Duplex, output: NodeJS.ReadableStream) {
    this.#engine = engine
    this.#clock = clock
    this.#container = container
    this.#stream = stream
    this.#output = output
    stream.on('error', () => { /* said by the end of the output */ })
    this.closed = new Promise<void>(resolve => { output.once('end', resolve).once('error', () => resolve())
      stream.once('close', resolve) })
  }

  write (bytes: Uint8Array | string): void {
    if (!this.#stream.destroyed) this.#stream.write(bytes)
  }

  // The connection itself: what the engine's frames are taken from buffers without a limit.
  pause (): void { this.#stream.pause() }

  resume (): void { this.#stream.resume() }

  listen (onData: (chunk: Buffer) => void, onClose: (reason: string, exitCode: number | null) => void): void {
    this.#output.on('data', onData)
    void this.closed.then(async () => {
      this.#stream.destroy()
      const { reason, exitCode } = await this.#ending()
      onClose(reason, exitCode)
    })
  }

  async kill (): Promise<void> {
    this.#killing ??= this.#kill()
    try {
      await this.#killing
    } catch (error) {
      // Whoever waits for its end hears of a loss, and the next kill is tried anew.
      this.#killing = null
      this.#stream.destroy()
      throw error
    }
  }

  async #kill (): Promise<void> {
    await this.#engine.kill(this.#container)
    await this.#engine.wait(this.#container)
    this.#stream.destroy()
  }

  /** The kernel keeps SIGKILL from the first process of a container: who dies of it was killed from outside. */
  async #ending (): Promise<{ reason: string; exitCode: number | null }> {
    try {
      const state = await this.#stopped()
      if (state === null) return { reason: 'its container was removed', exitCode: null }
      const isOwn = !state.running && state.exitCode !== killedExit && this.#killing === null
      return { reason: `its container ended (exit code ${state.exitCode})`, exitCode: isOwn ? state.exitCode : null }
    } catch (error) { return { reason: `the engine does not answer: ${toPlain(error).message}`, exitCode: null } }
  }

  /** Its output ends a moment before the engine knows of its end. */
  async #stopped (): Promise<ContainerState | null> {
    for (let waitedMs = 0; ; waitedMs += goneStepMs) {
      const state = await this.#engine.state(this.#container)
      if (state?.running !== true || waitedMs >= endedMsMax) return state
      await this.#clock.sleep(goneStepMs)
    }
  }
}
