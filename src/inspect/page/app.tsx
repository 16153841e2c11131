// The page: what stands around every view, and which view is shown. It needs nothing but the one file that it is in.

import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { createLink } from './link.ts'
import { Empty } from './parts/bits.tsx'
import { links, type Route } from './route.ts'
import { plainLook } from './trace/look.ts'
import { LinkContext, useKeys, useLinkState, useNow, useRoute } from './use.ts'
import { Actor } from './views/actor.tsx'
import { Actors } from './views/actors.tsx'
import { Cluster } from './views/cluster.tsx'
import { Episode } from './views/episode.tsx'
import { Rollout } from './views/rollout.tsx'
import { Run } from './views/run.tsx'
import { Trace } from './views/trace.tsx'
import { Training } from './views/training.tsx'
import { ticking } from './words.ts'

function App () {
  const route = useRoute()
  const [isHelpOpen, setHelpOpen] = useState(false)
  const [theme, nextTheme] = useTheme()
  const source = useLinkState().hello()?.source
  const places = source === 'trace' ? tracePlaces : livePlaces
  const shown: Route = source === 'trace' && route.view === 'cluster' ? { view: 'trace', look: plainLook } : route
  useNavigation()
  useKeys({ '?': () => setHelpOpen(true), t: nextTheme, ...Object.fromEntries(Object.entries(places).map(([key, place]) => [key, () => { location.hash = place.href }])) })
  useEffect(() => { document.title = titleOf(shown) }, [shown])
  return (
    <>
      <a class='skip' href='#main' onClick={event => { event.preventDefault(); document.getElementById('main')?.focus() }}>To the content</a>
      <header class='top'>
        <a class='brand' href={source === 'trace' ? links.trace(plainLook) : links.cluster}>Spar</a>
        <nav aria-label='Views'>{Object.values(places).map(({ name, href, views }) => <a key={href} href={href} aria-current={views.includes(shown.view) ? 'page' : undefined}>{name === 'Cluster' && source !== 'cluster' ? 'Overview' : name}</a>)}</nav>
        <Connection />
        <button class='quiet' onClick={nextTheme} title='Light, dark, or as the system (t)'>{theme}</button>
        <button class='quiet' onClick={() => setHelpOpen(true)} aria-label='Help' title='Keys (?)'>?</button>
      </header>
      <Lost />
      <main id='main' tabIndex={-1} class={`view-${shown.view}`}><View route={shown} /></main>
      {isHelpOpen && <Help keys={source === 'trace' ? traceKeys : liveKeys} onClose={() => setHelpOpen(false)} />}
    </>
  )
}

type Places = Record<string, { name: string; href: string; views: Route['view'][] }>

/** By the key that goes there. */
const livePlaces: Places = {
  1: { name: 'Cluster', href: links.cluster, views: ['cluster'] },
  2: { name: 'Actors', href: links.actors(), views: ['actors', 'actor'] },
  3: { name: 'Episodes', href: links.run(), views: ['run', 'episode', 'rollout'] },
  4: { name: 'Training', href: links.training(), views: ['training'] }
}
const tracePlaces: Places = { 1: { name: 'Timeline', href: links.trace(plainLook), views: ['trace'] } }

/** What belongs to another thing is another view: it starts with nothing of the one before. */
function View ({ route }: { route: Route }) {
  switch (route.view) {
    case 'cluster': return <Cluster />
    case 'actors': return <Actors search={route.search} />
    case 'actor': return <Actor key={route.key} actorKey={route.key} step={route.step} />
    case 'run': return <Run key={route.run} run={route.run} />
    case 'training': return <Training key={route.run} run={route.run} />
    case 'episode': return <Episode key={`${route.run}/${route.episode}`} run={route.run} episode={route.episode} tab={route.tab} />
    case 'rollout': return <Rollout key={`${route.run}/${route.rollout}/${route.page}`} run={route.run} rollout={route.rollout} page={route.page} turn={route.turn} />
    case 'trace': return <Trace look={route.look} />
    case 'unknown': return <Empty title='There is nothing here'><a href={links.cluster}>To the cluster</a></Empty>
  }
}

function titleOf (route: Route): string {
  const what = route.view === 'actor' ? route.key : route.view === 'episode' ? `${route.episode}, ${route.run}` : route.view === 'rollout' ? `${route.rollout}, ${route.run}` : route.view === 'cluster' ? '' : route.view
  return what === '' ? 'Spar' : `${what} · Spar`
}

function Connection () {
  const link = useLinkState()
  const state = link.state()
  const source = link.hello()?.source
  const words = { connecting: 'connecting', live: source === 'folder' ? 'finished run' : source === 'trace' ? 'trace of a simulation' : 'live', lost: 'not live', report: 'report' }
  return <span class={`connection ${state.kind === 'live' && (source === 'folder' || source === 'trace') ? 'report' : state.kind}`} role='status'>{words[state.kind]}</span>
}

function Lost () {
  const link = useLinkState()
  const state = link.state()
  useNow(500)
  if (state.kind !== 'lost') return null
  return <div class='lost' role='alert'>Not live: the connection was lost {ticking(Date.now() - state.sinceAt)} ago. {state.nextAt > Date.now() ? `Trying again in ${ticking(state.nextAt - Date.now())}.` : 'Trying …'} <button onClick={link.retryNow}>try now</button></div>
}

type Theme = 'auto' | 'light' | 'dark'
const themes: Theme[] = ['auto', 'light', 'dark']

function useTheme (): [Theme, () => void] {
  const [theme, setTheme] = useState<Theme>(() => themes.find(theme => theme === remembered()) ?? 'auto')
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme
    remember(theme)
  }, [theme])
  return [theme, () => setTheme(theme => themes[(themes.indexOf(theme) + 1) % themes.length]!)]
}

/** A page may be refused its storage: then it forgets. */
function remembered (): string | null {
  try {
    return localStorage.getItem('theme')
  } catch {
    return null
  }
}

function remember (theme: Theme): void {
  try {
    localStorage.setItem('theme', theme)
  } catch {}
}

/** Goes from link to link where a view has no list of its own. */
function useNavigation (): void {
  const move = (by: 1 | -1) => (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test((event.target as HTMLElement).tagName)) return
    const all = [...document.querySelectorAll<HTMLElement>('main [data-nav]')]
    const at = all.indexOf(document.activeElement as HTMLElement)
    all[Math.max(0, Math.min(all.length - 1, at + by))]?.focus()
  }
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => { if (event.key === 'j') move(1)(event); else if (event.key === 'k') move(-1)(event) }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [])
}

const liveKeys: [string, string][] = [
  ['1 2 3 4', 'Cluster, Actors, Episodes, Training'], ['j k', 'next, previous'], ['↑ ↓', 'the same in a list'], ['← →', 'fold, unfold; step back, forward; tab, page'],
  ['Enter', 'opens'], ['/', 'search'], ['Esc', 'leaves the search'], ['t', 'light, dark'], ['?', 'this']
]

const traceKeys: [string, string][] = [
  ['j k', 'next, previous line (arrows up and down too)'], ['← →', 'earlier, later'], ['+ −', 'closer, further; the wheel too'], ['0', 'all of the time'],
  ['Enter', 'lights what the line is about'], ['e', 'lights its episode'], ['f', 'the time of what is lit'], ['Esc', 'lights nothing; leaves the search'],
  ['v V', 'next, previous broken rule'], ['r', 'routine lines'], ['/', 'search'], ['t', 'light, dark'], ['?', 'this']
]

function Help ({ keys, onClose }: { keys: [string, string][]; onClose: () => void }) {
  const [dialog, setDialog] = useState<HTMLDialogElement | null>(null)
  useEffect(() => { if (dialog && !dialog.open) dialog.showModal() }, [dialog])
  return (
    <dialog ref={setDialog} onClose={onClose} aria-label='Help'>
      <h2>Keys</h2>
      <dl class='keys'>{keys.map(([key, what]) => <div key={key}><dt>{key.split(' ').map(one => <kbd key={one}>{one}</kbd>)}</dt><dd>{what}</dd></div>)}</dl>
      <h2>Words</h2>
      <p>An <b>episode</b> is the life of one bug: a breaker puts it into a real repository, checks verify it, a group of solvers tries to repair it, and both roles are rewarded. A <b>rollout</b> is one play of a role; an <b>actor</b> is a running statechart; <b>work</b> is what nodes take from queues.</p>
      <form method='dialog'><button>close</button></form>
    </dialog>
  )
}

render(<LinkContext.Provider value={createLink()}><App /></LinkContext.Provider>, document.getElementById('app')!)
