// A target inside of an image: everything that touches the tree happens in containers of the image, pinned by its digest.
// The host keeps no copy: history and diffs are read in the sandbox, where git is.

import type { Ecosystem, RunnerName } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Sandbox, Sandboxes } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import { findEngine } from '../sandbox/docker/index.ts'
import type { ArenaLimits } from './limits.ts'
import type { FoundRunner, TreeReader } from './runners/types.ts'
import type { Target } from './target.ts'

type Found = FoundRunner & { runner: RunnerName }
type DockerTarget = Extract<Target, { kind: 'docker' }>

/** Digest of an image that the engine has. */
export async function inspectImage (name: string): Promise<string> {
  const engine = await findEngine()
  if (engine === null) throw new SparError('SANDBOX_NO_ENGINE', `Cannot open docker:${name}: no Docker engine answers. Start Docker, or set DOCKER_HOST to where it listens`)
  const image = await engine.image(name)
  if (image === null) throw new SparError('ARENA_NO_SUCH_IMAGE', `Cannot open docker:${name}: the engine does not have this image. Pull it (docker pull ${name}) or build it first`)
  return image.id
}

export interface OpenedImage { found: Found; commit: string; tree: string; commits: number; env: Record<string, string>; notes: string[] }

interface ImageRequest {
  target: DockerTarget
  image: string
  asked: string
  setup: string | null
  limits: ArenaLimits
  sandboxes: Sandboxes
  detect (reader: TreeReader): Promise<Found>
}

const noEcosystem: Ecosystem = 'python'

export async function openImage ({ target, image, asked, setup, limits, sandboxes, detect }: ImageRequest): Promise<OpenedImage> {
  if (setup !== null) throw new SparError('OPTION_SETUP', `Cannot run --setup on ${asked}: the image is taken as it is. Build an image in which it has been run`)
  const sandbox = await sandboxes.open({
    arena: {
      id: 'detection', target: asked, name: 'detection', commit: '', tree: '', image, imagePath: target.path, dir: '', ecosystem: noEcosystem, runner: 'custom', testCommand: null,
      mounts: [], path: [], env: {}, testFiles: [], commits: 0
    },
    view: 'history',
    network: 'none',
    label: { run: 'arena', purpose: 'detection' }
  })
  try {
    const bounds = { timeoutMs: limits.lookupMsMax, outputBytesMax: limits.logBytesMax }
    const say = async (command: string): Promise<{ code: number | null; text: string }> => {
      const { exitCode, output } = await sandbox.exec(command, bounds)
      return { code: exitCode, text: Buffer.from(output).toString('utf8') }
    }
    const place = shellQuote(target.path)
    const listed = await say(`cd ${place} 2>/dev/null && find . -name .git -prune -o -name node_modules -prune -o -name site-packages -prune -o -type f -print0 2>/dev/null`)
    const paths = listed.text.split('\0').filter(path => path !== '').map(path => path.slice(2))
    if (paths.length === 0) throw new SparError('ARENA_NOT_A_REPOSITORY', `Cannot open ${asked}: the image has no files in ${target.path}`)
    const found = await detect(sandboxReader(sandbox, paths, limits.sourceBytesMax))
    return { found, ...await identify(say, place, asked), env: {}, notes: [] }
  } finally {
    await sandbox.destroy()
  }
}

/** Commit of the tree; a tree without git is known by a digest over its files and has no history to draw on. */
async function identify (say: (command: string) => Promise<{ code: number | null; text: string }>, place: string, asked: string): Promise<Pick<OpenedImage, 'commit' | 'tree' | 'commits'>> {
  const git = `git -c safe.directory='*' -C ${place}`
  const head = await say(`${git} rev-parse -q --verify 'HEAD^{commit}' 2>/dev/null && ${git} rev-parse 'HEAD^{tree}' && ${git} rev-list --count HEAD`)
  const [commit, tree, commits] = head.text.trim().split('\n')
  if (head.code === 0 && commit !== undefined && tree !== undefined) return { commit, tree, commits: Number(commits) }
  const digest = await say(`cd ${place} && find . -name node_modules -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-40`)
  const id = digest.text.trim()
  if (!/^[0-9a-f]{40}$/.test(id)) throw new SparError('ARENA_NOT_A_REPOSITORY', `Cannot open ${asked}: its files cannot be read: ${digest.text.slice(0, 300)}`)
  return { commit: id, tree: id, commits: 0 }
}

function sandboxReader (sandbox: Sandbox, paths: readonly string[], bytesMax: number): TreeReader {
  return {
    list: async () => [...paths],
    read: async path => {
      if (!paths.includes(path)) return null
      try {
        return new TextDecoder('utf-8', { fatal: true }).decode(await sandbox.readFile(path, bytesMax))
      } catch (error) {
        if (error instanceof SparError && error.code === 'SANDBOX_LOST') throw error
        return null
      }
    }
  }
}
