// Small things that every view is made of.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { Action, Failure } from '../../protocol.ts'
import { useLink, useLinkState } from '../use.ts'

export type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'quiet'

/** What a word of ours says about how things are. */
const tones: Record<string, Tone> = {
  serving: 'good', ready: 'good', running: 'busy', done: 'good', solved: 'good', pass: 'good', scored: 'good', played: 'good',
  failed: 'bad', fail: 'bad', gone: 'bad', silent: 'warn', policy_fault: 'bad', infra_fault: 'warn', error: 'warn', rejected: 'bad', failing: 'bad', crashed: 'bad',
  draining: 'warn', fault: 'warn', paused: 'warn', unfinished: 'warn', playing: 'busy', active: 'busy',
  breaking: 'busy', verifying: 'busy', solving: 'busy', promoting: 'busy', settling: 'busy'
}

export const toneOf = (word: string): Tone => tones[word] ?? 'quiet'

export const Badge = ({ tone, children }: { tone?: Tone; children: string }) =>
  <span class={`badge ${tone ?? toneOf(children)}`}>{children.replaceAll('_', ' ')}</span>

export const Stat = ({ label, value, note }: { label: string; value: ComponentChildren; note?: ComponentChildren }) =>
  <div class='stat'><dt>{label}</dt><dd>{value}{note !== undefined && <small>{note}</small>}</dd></div>

/** A share as a bar; `title` says it in words. */
export const Meter = ({ value, max, title, tone = 'busy' }: { value: number; max: number; title: string; tone?: Tone }) =>
  <span class={`meter ${tone}`} role='img' aria-label={title} title={title}><i style={{ width: `${max === 0 ? 0 : Math.min(100, 100 * value / max)}%` }} /></span>

export const Panel = ({ title, note, children, id }: { title: string; note?: ComponentChildren; children: ComponentChildren; id?: string }) =>
  <section class='panel' {...(id === undefined ? {} : { id })}><header><h2>{title}</h2>{note !== undefined && <span class='note'>{note}</span>}</header>{children}</section>

export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) =>
  <div class='empty'><strong>{title}</strong>{children !== undefined && <p>{children}</p>}</div>

export const Failed = ({ failure }: { failure: Failure }) =>
  <div class='empty failed' role='alert'><strong>{failure.message}</strong><p><code>{failure.code}</code></p></div>

/** What stands in the place of a value that has not come: shown late, so that what comes at once does not flicker. */
export const Loading = ({ what }: { what: string }) =>
  <div class='empty loading' role='status'><span class='bars' aria-hidden='true'><i /><i /><i /></span><p>Waiting for {what} …</p></div>

/** A scrolling box for a wide table; it takes the focus, so that the keyboard scrolls it. */
export const Wide = ({ label, children }: { label: string; children: ComponentChildren }) =>
  <div class='wide' role='region' aria-label={label} tabIndex={0}>{children}</div>

/** A button for an action; `sure` is asked first where it cannot be undone. Hidden where this page may not act. */
export function Act ({ action, label, sure, title = label }: { action: Action; label: string; sure?: string; title?: string }) {
  const link = useLinkState()
  const [phase, setPhase] = useState<'idle' | 'sure' | 'busy'>('idle')
  const [failure, setFailure] = useState<Failure | null>(null)
  if (!link.hello()?.mayAct) return null
  const act = async (): Promise<void> => {
    setPhase('busy')
    setFailure(await link.act(action))
    setPhase('idle')
  }
  if (phase === 'sure') {
    return (
      <span class='sure' role='group' aria-label={label}>
        {sure} <button class='danger' onClick={() => { void act() }}>{label}</button> <button onClick={() => setPhase('idle')}>leave it</button>
      </span>
    )
  }
  return (
    <span class='act'>
      <button title={title} disabled={phase === 'busy' || link.state().kind !== 'live'} onClick={() => { if (sure === undefined) void act(); else setPhase('sure') }}>{label}</button>
      {failure && <span class='why' role='alert'>{failure.message}</span>}
    </span>
  )
}

export const Copy = ({ text }: { text: string }) => {
  const [done, setDone] = useState(false)
  const link = useLink()
  if (link.state().kind === 'report' || !navigator.clipboard) return null
  return <button class='quiet' onClick={() => { void navigator.clipboard.writeText(text).then(() => setDone(true), () => {}) }}>{done ? 'copied' : 'copy'}</button>
}
