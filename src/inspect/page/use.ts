// What views are made with: the value of a topic, the time, the route, keys.

import { createContext } from 'preact'
import { useContext, useEffect, useReducer, useRef, useState } from 'preact/hooks'
import type { Failure, Topics } from '../protocol.ts'
import type { Link } from './link.ts'
import { readRoute, type Route } from './route.ts'

export const LinkContext = createContext<Link | null>(null)
export const useLink = (): Link => useContext(LinkContext)!

export interface Topical<Value> { value: Value | undefined; failure: Failure | null; lag: number }

/** The value of a topic, as long as the view is shown. `name` null: of none. */
export function useTopic<Kind extends keyof Topics> (_kind: Kind, name: string | null): Topical<Topics[Kind]['value']> {
  const link = useLink()
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  useEffect(() => name === null ? undefined : link.open(name, () => redraw(undefined)), [name])
  const { value, failure, lag } = name === null ? { value: undefined, failure: null, lag: 0 } : link.held(name)
  return { value: value as Topics[Kind]['value'] | undefined, failure, lag }
}

/** Redraws when the connection changes. */
export function useLinkState (): Link {
  const link = useLink()
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  useEffect(() => link.watch(() => redraw(undefined)), [])
  return link
}

/** The server's time, milliseconds since 1970; redraws every `everyMs`. */
export function useNow (everyMs = 1000): number {
  const link = useLink()
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  useEffect(() => {
    if (link.state().kind === 'report') return
    const timer = setInterval(() => redraw(undefined), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return link.now()
}

export function useRoute (): Route {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const changed = (): void => setHash(location.hash)
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  return readRoute(hash)
}

const isTyping = (target: EventTarget | null): boolean => target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)

/** What Enter does there already. */
const isOpened = (target: EventTarget | null): boolean => target instanceof Element && target.closest('a, button, summary') !== null

/** Keys of the view, by `KeyboardEvent.key`. Not while somebody types, not Enter on a button, and not with Ctrl, Alt or Meta. */
export function useKeys (keys: Record<string, (event: KeyboardEvent) => void>): void {
  const latest = useRef(keys)
  latest.current = keys
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const act = latest.current[event.key]
      if (!act || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || (isTyping(event.target) && event.key !== 'Escape') || (event.key === 'Enter' && isOpened(event.target))) return
      event.preventDefault()
      act(event)
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [])
}
