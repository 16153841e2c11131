// Where the page is: the part of its address behind #, so that everything can be linked to and nothing is asked of the server.
//
//   #/                                cluster            #/run/<run>                          episodes of a run
//   #/actors?q=<search>               actors             #/run/<run>/training                 its training
//   #/actor/<key>/<step>              one actor          #/run/<run>/episode/<episode>/<tab>  one episode
//                                                        #/run/<run>/rollout/<rollout>/<page> one rollout, at a turn: ?turn=<n>
//   #/trace?<look>                    a simulation       (its address: trace/look.ts)
//
// #/run and #/training show the run that began last.

import { readLook, writeLook, type TraceLook } from './trace/look.ts'

export type Tab = 'overview' | 'files' | 'checks' | 'attempts'
export const tabs: readonly Tab[] = ['overview', 'files', 'checks', 'attempts']

export type Route =
  | { view: 'cluster' }
  | { view: 'actors'; search: string }
  | { view: 'actor'; key: string; step: number | null }
  | { view: 'run'; run: string | null }
  | { view: 'training'; run: string | null }
  | { view: 'episode'; run: string; episode: string; tab: Tab }
  | { view: 'rollout'; run: string; rollout: string; page: number; turn: number | null }
  | { view: 'trace'; look: TraceLook }
  | { view: 'unknown'; hash: string }

export function readRoute (hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const parts = path.split('/').filter(part => part !== '').map(decode)
  const [first, second, third, fourth, fifth] = parts
  if (first === undefined) return { view: 'cluster' }
  if (first === 'actors') return { view: 'actors', search: new URLSearchParams(query).get('q') ?? '' }
  if (first === 'actor' && second !== undefined) return { view: 'actor', key: second, step: whole(third) }
  if (first === 'training') return { view: 'training', run: null }
  if (first === 'trace') return { view: 'trace', look: readLook(new URLSearchParams(query)) }
  if (first !== 'run') return { view: 'unknown', hash }
  if (second === undefined || third === undefined) return { view: 'run', run: second ?? null }
  if (third === 'training') return { view: 'training', run: second }
  if (third === 'episode' && fourth !== undefined) return { view: 'episode', run: second, episode: fourth, tab: tabs.find(tab => tab === fifth) ?? 'overview' }
  if (third === 'rollout' && fourth !== undefined) return { view: 'rollout', run: second, rollout: fourth, page: whole(fifth) ?? 0, turn: whole(new URLSearchParams(query).get('turn') ?? undefined) }
  return { view: 'unknown', hash }
}

const whole = (text: string | undefined): number | null => text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null

/** What is no URI encoding stands for itself. */
function decode (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const join = (...parts: (string | number)[]): string => `#/${parts.map(part => encodeURIComponent(part)).join('/')}`

export const links = {
  cluster: '#/',
  actors: (search = ''): string => search === '' ? '#/actors' : `#/actors?${new URLSearchParams({ q: search })}`,
  actor: (key: string, step: number | null = null): string => step === null ? join('actor', key) : join('actor', key, step),
  run: (run: string | null = null): string => run === null ? '#/run' : join('run', run),
  trace: (look: TraceLook): string => {
    const query = writeLook(look)
    return query.size === 0 ? '#/trace' : `#/trace?${query}`
  },
  training: (run: string | null = null): string => run === null ? '#/training' : join('run', run, 'training'),
  episode: (run: string, episode: string, tab: Tab = 'overview'): string => tab === 'overview' ? join('run', run, 'episode', episode) : join('run', run, 'episode', episode, tab),
  rollout: (run: string, rollout: string, page = 0, turn: number | null = null): string =>
    `${page === 0 ? join('run', run, 'rollout', rollout) : join('run', run, 'rollout', rollout, page)}${turn === null ? '' : `?turn=${turn}`}`
}
