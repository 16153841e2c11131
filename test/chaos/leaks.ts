// What dead owners left on this machine: folders by their leases, processes by their mark, control groups and mounts by the
// names of every sandbox that was ever seen in a node's home.

import { mkdirSync, readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { markName } from '../../src/sandbox/process/launch.ts'
import { processStartedAt, type Owner } from '../../src/sandbox/owner.ts'
import { readLease } from '../../src/sandbox/lease.ts'
import { ownerFile } from '../../src/sandbox/process/reap.ts'
import { containersOf } from './containers.ts'
import type { ChaosNode } from './nodes.ts'

export interface LeakWatch {
  seen: ReadonlySet<string>
  /** What belongs to nobody who lives; each as a line. */
  leaks (): string[]
  close (): void
}

export function watchLeaks (nodes: readonly ChaosNode[]): LeakWatch {
  const seen = new Set<string>()
  const pids = (): Set<number> => new Set(nodes.flatMap(({ pids }) => [...pids]))
  const ofContainers = nodes.some(({ sandbox }) => sandbox === 'docker')
  const note = (name: string | null): void => { if (name !== null && isId(name)) seen.add(name) }
  const watchers = nodes.map(({ home }) => {
    const parent = join(home, 'sandboxes')
    mkdirSync(parent, { recursive: true })
    for (const name of readdirSync(parent)) note(name)
    return watch(parent, (_, name) => note(name))
  })
  return {
    seen,
    leaks: () => {
      const live = new Set(nodes.flatMap(({ home }) => liveSandboxes(home)))
      const gone = (id: string): boolean => seen.has(id) && !live.has(id)
      return [...nodes.flatMap(({ home }) => deadFolders(home)), ...markedProcesses(gone), ...controlGroups(gone), ...mounts(nodes), ...ofContainers ? deadContainers(pids()) : []]
    },
    close () { for (const watcher of watchers) watcher.close() }
  }
}

const isId = (name: string): boolean => /^(spar-)?[0-9a-f]{12}$/.test(name)
const lives = ({ pid, startedAt }: Owner): boolean => processStartedAt(pid) === startedAt
const list = (folder: string): string[] => { try { return readdirSync(folder) } catch { return [] } }
const read = (path: string): string => { try { return readFileSync(path, 'latin1') } catch { return '' } }

function liveSandboxes (home: string): string[] {
  const parent = join(home, 'sandboxes')
  return list(parent).filter(isId).filter(id => {
    const lease = readLease(join(parent, id))
    return lease !== null && lives(lease.owner)
  })
}

function deadFolders (home: string): string[] {
  const parent = join(home, 'sandboxes')
  const live = new Set(liveSandboxes(home))
  return list(parent).filter(name => name !== 'layers' && !live.has(name) && !(name.startsWith('.') && ownerLives(join(parent, name)))).map(name => `folder ${join(parent, name)}`)
}

function ownerLives (folder: string): boolean {
  try { return lives(JSON.parse(readFileSync(join(folder, ownerFile), 'utf8')) as Owner) } catch { return false }
}

const deadContainers = (pids: ReadonlySet<number>): string[] =>
  containersOf(pids).filter(({ owner }) => !lives(owner)).map(({ name }) => `container ${name}`)

function markedProcesses (gone: (id: string) => boolean): string[] {
  return list('/proc').filter(name => /^\d+$/.test(name)).flatMap(pid => {
    const mark = read(`/proc/${pid}/environ`).split('\0').find(entry => entry.startsWith(`${markName}=`))?.slice(markName.length + 1)
    return mark !== undefined && gone(mark) && processStartedAt(Number(pid)) !== null ? [`process ${pid} of sandbox ${mark}`] : []
  })
}

/** Groups are called after their sandbox and lie below the one that the nodes are in; both versions. */
function controlGroups (gone: (id: string) => boolean): string[] {
  return groupFolders().flatMap(folder => list(folder).filter(name => name.startsWith('spar-') && gone(name.slice('spar-'.length))).map(name => `control group ${join(folder, name)}`))
}

function groupFolders (): string[] {
  const folders = new Set<string>()
  for (const line of read('/proc/self/cgroup').trim().split('\n')) {
    const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    for (const controller of [controllers, ...controllers.split(',')]) {
      for (let at = path; ; at = join(at, '..')) {
        folders.add(join('/sys/fs/cgroup', controller, at))
        if (at === '/' || at === '') break
      }
    }
  }
  return [...folders]
}

function mounts (nodes: readonly ChaosNode[]): string[] {
  return read('/proc/self/mounts').split('\n').map(line => line.split(' ')[1] ?? '').filter(path => nodes.some(({ home }) => path.startsWith(`${home}/`))).map(path => `mount ${path}`)
}
