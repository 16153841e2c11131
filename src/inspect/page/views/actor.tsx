// One actor: its statechart with the active states lit, and its past to go back to. The newest step is followed until a step is chosen.

import { useRef } from 'preact/hooks'
import { topics, type ActorView, type EventLine, type Step } from '../../protocol.ts'
import { Act, Badge, Empty, Failed, Loading, Panel } from '../parts/bits.tsx'
import { Chart, hasChart, knowsState, takenBetween } from '../parts/chart.tsx'
import { JsonText } from '../parts/json.tsx'
import { Word } from '../parts/text.tsx'
import { links, readRoute } from '../route.ts'
import { useKeys, useNow, useTopic } from '../use.ts'
import { clockTime, count, eventWords, plural, ticking } from '../words.ts'

export function Actor ({ actorKey, step }: { actorKey: string; step: number | null }) {
  const { value, failure, lag } = useTopic('actor', topics.actor(actorKey))
  if (value === undefined) return failure ? <Failed failure={failure} /> : <Loading what={`the actor ${actorKey}`} />
  return <Shown view={value} chosen={step} lag={lag} isGone={failure !== null} />
}

function Shown ({ view, chosen, lag, isGone }: { view: ActorView; chosen: number | null; lag: number; isGone: boolean }) {
  const { row, steps, stepsLeftOut, events, eventsLeftOut, children } = view
  const index = chosen === null ? steps.length - 1 : steps.findIndex(({ n }) => n === chosen)
  const step = steps[index]
  const go = (to: number): void => {
    const target = steps[Math.max(0, Math.min(steps.length - 1, to))]
    location.replace(links.actor(row.key, target === undefined || target === steps.at(-1) ? null : target.n))
  }
  // From where the address is by now: keys come faster than the page is drawn.
  const move = (by: 1 | -1) => (): void => {
    const route = readRoute(location.hash)
    const at = route.view === 'actor' && route.step !== null ? steps.findIndex(({ n }) => n === route.step) : steps.length - 1
    go(at + by)
  }
  useKeys({ ArrowLeft: move(-1), ArrowRight: move(1), k: move(-1), j: move(1), Home: () => go(0), End: () => go(steps.length - 1) })
  return (
    <>
      <Head view={view} isGone={isGone} />
      <Timeline steps={steps} index={index} leftOut={stepsLeftOut} onGo={go} isPast={chosen !== null} />
      {step === undefined
        ? <Empty title={chosen === null ? 'It has done nothing yet' : `Step ${chosen} is not kept any more`}>{chosen !== null && <a href={links.actor(row.key)}>Back to now</a>}</Empty>
        : <div class='beside'>
          <Drawing machine={row.machine} step={step} before={steps[index - 1]} isLatest={chosen === null} />
          <div>
            <Panel title='Context' note={chosen === null ? 'now' : `at step ${step.n}`}><JsonText key={step.n} content={step.context} label='Context' /></Panel>
            {children.length > 0 && <Panel title='Children' note='effects and actors that it runs now'><ul class='plain'>{children.map(({ id, status }) => <li key={id}><Badge>{status}</Badge> <code><Word>{id}</Word></code></li>)}</ul></Panel>}
          </div>
        </div>}
      <Events events={events} leftOut={eventsLeftOut} lag={lag} />
    </>
  )
}

function Head ({ view: { row }, isGone }: { view: ActorView; isGone: boolean }) {
  const now = useNow()
  const { machine, id, node, status, state, tags, sinceAt, startedAt, endedAt, run, episode, rollout, transitions, restarts, failures, reason, acts, key, parent } = row
  return (
    <div class='head'>
      <h1><span class='muted'>{machine}</span> <Word>{id}</Word> <Badge {...(status === 'active' ? { tone: 'busy' as const } : {})}>{status === 'active' ? state : status}</Badge>{tags.filter(tag => tag !== state).map(tag => <span key={tag} class='tag'>{tag}</span>)}</h1>
      <p class='facts'>
        <span>{endedAt === null ? `in this state for ${ticking(now - sinceAt)}` : `ended ${ticking(now - endedAt)} ago`}</span>
        <span>began {ticking(now - startedAt)} ago</span>
        <span>{plural(transitions, 'transition')}</span>
        <span>on <a href={links.actors(node)}>{node}</a></span>
        {parent !== null && <span><a href={links.actor(parent)}>its parent</a></span>}
        {run !== null && <span>run <a href={links.run(run)}><Word>{run}</Word></a></span>}
        {run !== null && episode !== null && <span>episode <a href={links.episode(run, episode)}>{episode}</a></span>}
        {run !== null && rollout !== null && <span><a href={links.rollout(run, rollout)}>its transcript</a></span>}
        {restarts > 0 && <span class='warn'>{plural(restarts, 'restart')}</span>}
        {failures > 0 && <span class='bad'>{plural(failures, 'failure')}: <Word>{reason}</Word></span>}
        {isGone && <span class='warn'>nobody keeps it any more</span>}
      </p>
      {acts.length > 0 && <p class='acts'>{acts.map(event => <Act key={event} action={{ do: 'send', actor: key, event }} label={event.slice(event.lastIndexOf('.') + 1)} title={event} {...(/cancel|drain|halt|close/.test(event) ? { sure: 'This cannot be taken back.' } : {})} />)}</p>}
    </div>
  )
}

/** Its past as a row of steps: a slider, since there may be many. */
function Timeline ({ steps, index, leftOut, onGo, isPast }: { steps: Step[]; index: number; leftOut: number; onGo: (index: number) => void; isPast: boolean }) {
  const step = steps[index]
  if (steps.length === 0) return null
  return (
    <div class={`timeline ${isPast ? 'past' : ''}`}>
      <button aria-label='Step back' disabled={index <= 0} onClick={() => onGo(index - 1)}>◂</button>
      <input type='range' aria-label='Step' min={0} max={Math.max(0, steps.length - 1)} value={index} aria-valuetext={step ? `step ${step.n}: ${step.state}` : 'no step'} onInput={event => onGo(Number(event.currentTarget.value))} />
      <button aria-label='Step forward' disabled={index >= steps.length - 1} onClick={() => onGo(index + 1)}>▸</button>
      <span class='n'>{step ? <>step {step.n} <span class='muted'>{clockTime(step.at)}</span> <span title={step.event ?? ''}>{step.event !== null ? <Word>{eventWords(step.event)}</Word> : step.n === 1 ? 'start' : 'an event nobody watched'}</span> → <b>{step.state || step.status}</b></> : 'not kept'}</span>
      {isPast ? <button class='danger' onClick={() => onGo(steps.length - 1)}>back to now</button> : <span class='muted'>follows now{leftOut > 0 ? `; ${count(leftOut)} earlier steps are not kept` : ''}</span>}
    </div>
  )
}

function Drawing ({ machine, step, before, isLatest }: { machine: string; step: Step; before: Step | undefined; isLatest: boolean }) {
  const shown = useRef(step.n)
  const beat = isLatest && shown.current !== step.n ? step.n : 0
  shown.current = step.n
  if (machine === 'work') return <Empty title='A piece of work has no statechart'>It is done by the slot above it; what it plays is below it.</Empty>
  if (!hasChart(machine)) return <Empty title={`There is no drawing of the machine ${machine}`}>The node runs another version of Spar than this page.</Empty>
  const active = step.state.split(' ').filter(path => path !== '')
  const isForeign = active.some(path => !knowsState(machine, path))
  return (
    <div>
      {isForeign && <p class='why'>The node runs another version of Spar: its machine has states that this drawing does not have.</p>}
      <Chart machine={machine} active={active} taken={before === undefined ? [] : takenBetween(machine, before.state, step.state, step.event)} beat={beat} />
    </div>
  )
}

const eventsShown = 100

function Events ({ events, leftOut, lag }: { events: EventLine[]; leftOut: number; lag: number }) {
  return (
    <Panel title='Events' note={`newest first${leftOut > 0 ? `; ${count(leftOut)} are not kept` : ''}${lag > 0 ? `; ${count(lag)} changes left out` : ''}`}>
      {events.length === 0 ? <Empty title='No event since somebody watches'>An actor keeps a log only while it is looked at.</Empty> : <ol class='events'>{events.slice(-eventsShown).reverse().map(({ n, at, event, from, data }) => (
        <li key={n}><details><summary><span class='n muted'>{clockTime(at)}</span> <code title={event}><Word>{eventWords(event)}</Word></code>{from !== null && <span class='muted'> from <Word>{from}</Word></span>}</summary>{data.text === '' ? <p class='muted none'>It carries nothing else</p> : <JsonText content={data} label={`Data of ${event}`} />}</details></li>
      ))}</ol>}
    </Panel>
  )
}
