// The trace of a simulation: which rule was broken, lanes over time, and every line. What is chosen in one is chosen in all.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { topics, type TraceView } from '../../protocol.ts'
import { Failed, Loading } from '../parts/bits.tsx'
import { Lanes } from '../parts/lanes.tsx'
import { Word } from '../parts/text.tsx'
import { Virtual } from '../parts/virtual.tsx'
import { links, readRoute } from '../route.ts'
import { aboutOf, choose, firstLook, holding, linesAbout, panned, plainLook, shownLines, windowAround, zoomed, type TraceLook } from '../trace/look.ts'
import { buildModel, episodeOf, kinds, machineOf, placeOf, type Kind, type Model } from '../trace/model.ts'
import { useKeys, useTopic } from '../use.ts'
import { count, duration, plural, sinceStart } from '../words.ts'

export function Trace ({ look }: { look: TraceLook }) {
  const { value, failure } = useTopic('trace', topics.trace)
  if (value === undefined) return failure ? <Failed failure={failure} /> : <Loading what='the trace' />
  return <Shown trace={value} address={look} />
}

/** An address is written when nothing has moved for so long: browsers count how often it changes. */
const addressMs = 300

function Shown ({ trace, address }: { trace: TraceView; address: TraceLook }) {
  const model = useMemo(() => buildModel(trace), [trace])
  const [look, setLook] = useLook(model, address)
  const { window, line, about, only, search, who, what, hidden } = look
  const input = useRef<HTMLInputElement>(null)
  const shown = useMemo(() => shownLines(model, { search, who, what, hidden }), [model, search, who, what, hidden])
  const lit = useMemo(() => about === '' ? null : { id: about, lines: linesAbout(model, shownLines(model, { ...plainLook, hidden }), about) }, [model, about, hidden])
  const listed = useMemo(() => about !== '' && only ? linesAbout(model, shown, about) : shown, [model, shown, about, only])
  const place = line === null ? -1 : placeOf(listed, line)
  const selected = listed[place] === line ? place : -1
  const set = (change: Partial<TraceLook>): void => setLook(look => ({ ...look, ...change }))
  const select = (line: number): void => set({ line, window: holding(model, window, model.ms[line]!) })
  const move = (by: 1 | -1): void => {
    const next = listed[Math.max(0, Math.min(listed.length - 1, selected >= 0 || by < 0 ? Math.max(0, place) + by : place))]
    if (next !== undefined) select(next)
  }
  const light = (id: string | undefined): void => { if (id !== undefined) set({ about: about === id ? '' : id }) }
  const [first] = line === null ? [] : aboutOf(model, line)
  useKeys({
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
    ArrowLeft: () => set({ window: panned(model, window, -0.2) }), ArrowRight: () => set({ window: panned(model, window, 0.2) }),
    '+': () => set({ window: zoomed(model, window, 0.6, atOf(model, look)) }), '=': () => set({ window: zoomed(model, window, 0.6, atOf(model, look)) }), '-': () => set({ window: zoomed(model, window, 1 / 0.6, atOf(model, look)) }), 0: () => set({ window: null }),
    Enter: () => light(first), e: () => light(first && episodeOf(first)), f: () => { if (about !== '') set({ window: windowAround(model, about) }) },
    v: () => setLook(look => byViolation(model, look, 1)), V: () => setLook(look => byViolation(model, look, -1)),
    r: () => set({ hidden: toggled(hidden, 'routine') }), '/': () => input.current?.focus(),
    Escape: () => { if (document.activeElement === input.current) input.current?.blur(); else set({ about: '' }) }
  })
  return (
    <div class='full trace'>
      <Verdict model={model} look={look} onLook={setLook} />
      <Lanes model={model} window={window} shown={shown} lit={lit} selected={line} who={who} onWindow={window => set({ window })} onLine={select} onWho={who => set({ who })} />
      <div class='bar'>
        <input ref={input} type='search' placeholder='Search: process, word, detail' aria-label='Search lines' value={search} onInput={event => set({ search: event.currentTarget.value })} onKeyDown={event => { if (event.key === 'Enter') event.currentTarget.blur() }} />
        <Names label='who' all='everybody' value={who} names={[...new Set([...trace.who.map(machineOf), ...who === '' ? [] : [who]])]} onPick={who => set({ who })} />
        <Names label='what' all='everything' value={what} names={trace.what} onPick={what => set({ what })} />
        <Kinds model={model} hidden={hidden} onHidden={hidden => set({ hidden })} />
      </div>
      <Chosen model={model} look={look} isListed={selected >= 0} onLight={light} onLook={set} />
      <div class='bar said'>
        {about !== '' && <span class='badge lit'><Word>{about}</Word></span>}
        {about !== '' && <><label><input type='checkbox' checked={only} onChange={event => set({ only: event.currentTarget.checked })} /> only its lines</label><button class='quiet' onClick={() => set({ window: windowAround(model, about) })}>its time</button><button class='quiet' onClick={() => set({ about: '' })}>light nothing</button></>}
        <span class='muted n'>{listed.length === model.count ? plural(model.count, 'line') : `${count(listed.length)} of ${plural(model.count, 'line')}`}{trace.leftOut > 0 ? `, ${count(trace.leftOut)} more of the file are left out` : ''}</span>
      </div>
      <Virtual label='Lines' role='listbox' count={listed.length} selected={selected} onSelect={index => select(listed[index]!)} onOpen={() => {}}
        row={index => ({ key: String(listed[index]), attributes: { role: 'option', 'data-key': listed[index] }, content: <Line model={model} line={listed[index]!} /> })} />
    </div>
  )
}

/** What is looked at; it is written into the address, and read from there when somebody changes that. */
function useLook (model: Model, address: TraceLook): [TraceLook, (change: (look: TraceLook) => TraceLook) => void] {
  const known = (look: TraceLook): TraceLook => look.line !== null && look.line >= model.count ? { ...look, line: null } : look
  const [look, setLook] = useState(() => firstLook(model, known(address)))
  useEffect(() => {
    const changed = (): void => {
      const route = readRoute(location.hash)
      if (route.view === 'trace') setLook(known(route.look))
    }
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [model])
  useEffect(() => {
    const timer = setTimeout(() => history.replaceState(null, '', links.trace(look)), addressMs)
    return () => clearTimeout(timer)
  }, [look])
  return [look, setLook]
}

/** Keys look closer at what is chosen, where it is in sight. */
function atOf (model: Model, { line, window }: TraceLook): number | undefined {
  const ms = line === null ? null : model.ms[line]!
  return ms !== null && (window === null || (ms >= window.fromMs && ms <= window.toMs)) ? ms : undefined
}

const toggled = (hidden: readonly Kind[], kind: Kind): Kind[] => kinds.filter(one => hidden.includes(one) !== (one === kind))

function byViolation (model: Model, look: TraceLook, by: 1 | -1): TraceLook {
  const { violations } = model
  if (violations.length === 0) return look
  const at = look.line === null ? -1 : violations.indexOf(look.line)
  const next = at < 0 ? 0 : (at + by + violations.length) % violations.length
  return choose(model, look, violations[next]!)
}

/** The rule that was broken, on top; that none was, where none was. */
function Verdict ({ model, look, onLook }: { model: Model; look: TraceLook; onLook: (change: (look: TraceLook) => TraceLook) => void }) {
  const { violations, lanes, lives, endMs, trace } = model
  const facts = <p class='facts'><code><Word>{trace.file}</Word></code><span>{plural(lanes.length - 2, 'machine')}</span><span>{plural(lives.length, 'process', 'processes')}</span><span>{duration(endMs)} of simulated time</span></p>
  if (violations.length === 0) return <div class='head'><h1>No broken rule in this trace</h1>{facts}</div>
  const at = Math.max(0, look.line === null ? 0 : violations.indexOf(look.line))
  const { what, detail } = model.text(violations[at]!)
  return (
    <div class='head broken'>
      <h1><span class='badge bad'><Word>{what}</Word></span> <Word>{detail}</Word></h1>
      <p class='facts'>
        <button onClick={() => onLook(look => choose(model, look, violations[at]!))}>show it</button>
        {violations.length > 1 && <><button aria-label='The broken rule before' onClick={() => onLook(look => byViolation(model, look, -1))}>‹</button><span class='n'>{at + 1} of {plural(violations.length, 'broken rule')}</span><button aria-label='The next broken rule' onClick={() => onLook(look => byViolation(model, look, 1))}>›</button></>}
        <span class='n'>at {sinceStart(model.ms[violations[at]!]!)}</span>
      </p>
      {facts}
    </div>
  )
}

/** Names in a list to pick from are so many at most. */
const namesMax = 500

const Names = ({ label, all, value, names, onPick }: { label: string; all: string; value: string; names: readonly string[]; onPick: (name: string) => void }) => (
  <select aria-label={label} value={value} onChange={event => onPick(event.currentTarget.value)}>
    <option value=''>{all}</option>
    {[...names].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).slice(0, namesMax).map(name => <option key={name} value={name}><Word>{name}</Word></option>)}
  </select>
)

const kindWords: Partial<Record<Kind, string>> = { work: 'work', write: 'writes', read: 'reads', odd: 'repeated, refused', life: 'processes', routine: 'routine' }

const Kinds = ({ model, hidden, onHidden }: { model: Model; hidden: readonly Kind[]; onHidden: (hidden: Kind[]) => void }) => (
  <span class='kinds' role='group' aria-label='Kinds of lines'>
    {(Object.entries(kindWords) as [Kind, string][]).map(([kind, words]) => (
      <button key={kind} class={`kind ${kind}`} aria-pressed={!hidden.includes(kind)} title={`${hidden.includes(kind) ? 'Shows' : 'Hides'} ${plural(model.counts[kinds.indexOf(kind)]!, 'line')}${kind === 'routine' ? ' (r)' : ''}`} onClick={() => onHidden(toggled(hidden, kind))}>{words}</button>
    ))}
  </span>
)

/** The line that is chosen, whole, and what it leads to. */
function Chosen ({ model, look: { line, about, window }, isListed, onLight, onLook }: { model: Model; look: TraceLook; isListed: boolean; onLight: (id: string) => void; onLook: (change: Partial<TraceLook>) => void }) {
  if (line === null) return <p class='chosen muted'>Choose a mark above or a line below. Wheel and drag move in time; ? has the keys.</p>
  const { who, what, detail } = model.text(line)
  const ids = aboutOf(model, line).slice(0, 4)
  const seen = holding(model, window, model.ms[line]!)
  const all = [...new Set(ids.flatMap(id => [id, episodeOf(id)]))]
  return (
    <p class='chosen'>
      <span class='n muted'>{sinceStart(model.ms[line]!)}</span> <b><Word>{who}</Word></b> <span class={`kindname ${kinds[model.kind[line]!]!}`}><Word>{what}</Word></span> <code><Word>{detail}</Word></code>
      <span class='ways'>
        {all.map(id => <button key={id} aria-pressed={about === id} title={id === about ? 'Lights nothing' : `Lights all about ${id}`} onClick={() => onLight(id)}>{id}</button>)}
        {model.lane[line]! > 1 && <button class='quiet' onClick={() => onLook({ who })}>only <Word>{who}</Word></button>}
        {seen !== window && <button class='quiet' onClick={() => onLook({ window: seen })}>into sight</button>}
        {!isListed && <span class='muted'>not in the list as it is now</span>}
      </span>
    </p>
  )
}

function Line ({ model, line }: { model: Model; line: number }) {
  const { who, what, detail } = model.text(line)
  return (
    <div class='traceline'>
      <span class='n muted'>{sinceStart(model.ms[line]!)}</span>
      <span class='who'><Word>{who}</Word></span>
      <span class={`kindname ${kinds[model.kind[line]!]!}`}><Word>{what}</Word></span>
      <span class='detail'><Word>{detail}</Word></span>
    </div>
  )
}
