// The only module that holds the engine: its socket is root on the host. What others get are the few things that a
// sandbox needs, and a container is only ever made from the configuration of config.ts.

import Docker from 'dockerode'
import { statfs } from 'node:fs/promises'
import { PassThrough, type Duplex, type Readable } from 'node:stream'

import type { Room } from '../disk.ts'
import type { ContainerPlan } from './config.ts'
import { containerConfig } from './config.ts'

export const labels = { mark: 'org.spar.sandbox', lease: 'org.spar.lease' }
/** A busy machine answers late; where there is no engine nobody waits, since the connection is refused. */
const pingMsMax = 10_000

export interface ContainerState { running: boolean; exitCode: number; outOfMemory: boolean }
export interface FoundContainer { id: string; lease: string }

export interface Engine {
  ping (): Promise<boolean>
  /** What can run a container here, and what does where nothing is asked for. */
  runtimes (): Promise<{ names: string[]; default: string }>
  /** Digest and configured user of an image, or null when the engine does not have it. */
  image (name: string): Promise<{ id: string; user: string; /** Folders of its own PATH. */ path: string[]; /** Folders that it keeps out of its containers' layers. */ volumes: string[] } | null>
  /** Makes an image of one layer from a tar stream; returns its digest. */
  importImage (archive: Readable, options: { name: string; labels: Record<string, string> }): Promise<string>
  /** Images with this label, `name=value`. */
  images (label: string): Promise<{ id: string; labels: Record<string, string> }[]>
  /** False when a container uses it. */
  removeImage (id: string): Promise<boolean>
  create (plan: ContainerPlan): Promise<string>
  /** Starts the container with its main process's input and output attached. */
  start (id: string): Promise<{ stream: Duplex; output: NodeJS.ReadableStream }>
  /** Null when it is gone. */
  state (id: string): Promise<ContainerState | null>
  /** What is left on the disk under the containers; null when that disk is not seen from here. */
  room (): Promise<Room | null>
  /** Bytes in the container's own layer; null when the engine cannot tell. */
  layerBytes (id: string): Promise<number | null>
  /** Files and folders in that layer that are not as the image has them; stops counting beyond `max`. */
  layerFiles (id: string, max: number): Promise<number>
  /** Resolves when the container does not run (any more). */
  wait (id: string): Promise<void>
  kill (id: string): Promise<void>
  /** With its volumes. Nothing to do when it is gone. */
  remove (id: string): Promise<void>
  list (): Promise<FoundContainer[]>
}

const status = (error: unknown): number | undefined => (error as { statusCode?: number }).statusCode

/** These codes mean that what was asked for is so already: gone, or not running. */
async function unless (codes: number[], call: Promise<unknown>): Promise<void> {
  await call.catch(error => { if (!codes.includes(status(error) ?? 0)) throw error })
}

export function createEngine (docker: Docker = new Docker()): Engine {
  const at = (id: string): Docker.Container => docker.getContainer(id)
  let root: Promise<string> | null = null
  return {
    async ping () {
      let late: NodeJS.Timeout | undefined
      const giveUp = new Promise<false>(resolve => { late = setTimeout(resolve, pingMsMax, false) })
      return await Promise.race([docker.ping().then(() => true, () => false), giveUp]).finally(() => clearTimeout(late))
    },
    async runtimes () {
      const { Runtimes, DefaultRuntime } = await docker.info() as { Runtimes?: Record<string, unknown>; DefaultRuntime?: string }
      return { names: Object.keys(Runtimes ?? {}).sort(), default: DefaultRuntime ?? 'runc' }
    },
    async image (name) {
      try {
        const image = await docker.getImage(name).inspect()
        return { id: image.Id, user: image.Config.User, path: (image.Config.Env ?? []).find(pair => pair.startsWith('PATH='))?.slice(5).split(':').filter(folder => folder.startsWith('/')) ?? [], volumes: Object.keys(image.Config.Volumes ?? {}) }
      } catch (error) {
        if (status(error) === 404) return null
        throw error
      }
    },
    async importImage (archive, { name, labels }) {
      const [repo, tag] = name.split(':')
      const changes = Object.entries(labels).map(([label, value]) => `LABEL ${label}=${JSON.stringify(value).replaceAll('$', '\\$')}`)
      const said = await docker.importImage(archive, { repo, tag, changes })
      const lines = await new Promise<{ error?: string }[]>((resolve, reject) => docker.modem.followProgress(said, (error, all) => error === null ? resolve(all as { error?: string }[]) : reject(error)))
      const failed = lines.find(line => line.error !== undefined)
      if (failed !== undefined) throw new Error(failed.error)
      return (await docker.getImage(name).inspect()).Id
    },
    async images (label) {
      const found = await docker.listImages({ all: false, filters: { label: [label] } })
      return found.map(image => ({ id: image.Id, labels: image.Labels ?? {} }))
    },
    async removeImage (id) {
      try {
        await docker.getImage(id).remove()
        return true
      } catch (error) {
        if (![404, 409].includes(status(error) ?? 0)) throw error
        return status(error) === 404
      }
    },
    create: async plan => (await docker.createContainer(containerConfig(plan, labels))).id,
    async start (id) {
      const stream = await at(id).attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true }) as unknown as Duplex
      const output = new PassThrough()
      const errors = new PassThrough().resume()
      docker.modem.demuxStream(stream, output, errors)
      const end = (): void => { output.end() }
      stream.once('end', end).once('close', end).once('error', end)
      await at(id).start().catch(error => { stream.destroy(); throw error })
      return { stream, output }
    },
    async state (id) {
      try {
        const { State } = await at(id).inspect()
        return { running: State.Running, exitCode: State.ExitCode, outOfMemory: State.OOMKilled }
      } catch (error) {
        if (status(error) === 404) return null
        throw error
      }
    },
    async room () {
      root ??= docker.info().then(info => String(info.DockerRootDir))
      root.catch(() => { root = null })
      try {
        const { bfree, bsize, ffree } = await statfs(await root)
        return { bytes: bfree * bsize, files: ffree }
      } catch { return null }
    },
    async layerBytes (id) {
      const { SizeRw = -1 } = await at(id).inspect({ size: true } as {}) as { SizeRw?: number }
      return SizeRw < 0 ? null : SizeRw
    },
    async layerFiles (id, max) {
      let count = 0
      let rest = ''
      for await (const chunk of await changesOf(docker, id)) {
        const parts = (rest + String(chunk)).split(changeMark)
        count += parts.length - 1
        rest = parts.at(-1)!.slice(-changeMark.length)
        if (count > max) break
      }
      return count
    },
    wait: async id => { await unless([404], at(id).wait()) },
    kill: async id => { await unless([404, 409], at(id).kill({ signal: 'KILL' })) },
    remove: async id => { await unless([404, 409], at(id).remove({ force: true, v: true })) },
    async list () {
      const found = await docker.listContainers({ all: true, filters: { label: [labels.mark] } })
      return found.map(container => ({ id: container.Id, lease: container.Labels[labels.lease] ?? '' }))
    }
  }
}

/** Once in each change that the engine lists; in a file's name the quotes would be escaped. */
const changeMark = '"Kind":'

/** As a stream: the list has an entry for every file. */
async function changesOf (docker: Docker, id: string): Promise<NodeJS.ReadableStream> {
  const statusCodes = { 200: true, 404: 'no such container', 500: 'server error' }
  return await new Promise((resolve, reject) => docker.modem.dial(
    { path: `/containers/${id}/changes`, method: 'GET', isStream: true, statusCodes },
    (error: unknown, stream: unknown) => error === null ? resolve(stream as NodeJS.ReadableStream) : reject(error as Error)))
}
