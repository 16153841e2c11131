// What the inspection page and whoever serves it say to each other: types, and the names of topics. Nothing here needs Node, so
// that the page uses this file as it is. The page asks for topics; each has one value, which the server sends whole (`full`) and then
// as changes (`change`). A finished report is the same values in one object. docs/inspect.md has an example of each.
//
// P1. Everything in a `Text`, and every `string` that comes from a policy, a test or a patch is untrusted: data, never markup.
// P2. Milliseconds since 1970 are named `at` or end in `At`; durations end in `Ms`. `hello.now` is the server's clock.
// P3. Changes come in the order of `seq`, without a gap, and are only sent after a `full`. After a `lag` comes a `full` again.
// P4. `null` is "not known" or "there is none"; never zero.

import type { EpisodesChange, EpisodesView, EpisodeView, RolloutView, TokensView, TrainingView } from './protocol-records.ts'
import type { TraceView } from './protocol-trace.ts'

export type * from './protocol-records.ts'
export type * from './protocol-trace.ts'

export const protocolVersion = 1

// ---- frames -----------------------------------------------------------------------------------------------------------------

/** What a browser sends over the WebSocket, one JSON object a message. `id` is the browser's own, a whole number; used once while it is open. */
export type ClientMessage =
  | { type: 'open'; id: number; topic: string }
  | { type: 'close'; id: number }
  /** Answered by `acted` with the same id. */
  | { type: 'act'; id: number; action: Action }

export type ServerMessage =
  | Hello
  /** The value of a topic, in place of everything before. */
  | { type: 'full'; id: number; seq: number; value: unknown }
  /** What has changed in a topic: see `Topics`. */
  | { type: 'change'; id: number; seq: number; change: unknown }
  /** Changes of a topic were left out, `count` of them so far: too many, or the reader is slow. A `full` follows. */
  | { type: 'lag'; id: number; count: number }
  /** The topic cannot be had (any more): it is closed. */
  | { type: 'failed'; id: number; error: Failure }
  /** What came of an action; `error` null: it was handed to whom it is for. */
  | { type: 'acted'; id: number; error: Failure | null }

/** The first message of a connection. */
export interface Hello {
  type: 'hello'
  protocol: number
  /** Version of Spar. */
  spar: string
  /** What is looked at: a cluster over its bus, this process alone, the folder of a run (no actors, nothing changes), or the trace of a simulation (that topic alone). */
  source: 'cluster' | 'process' | 'folder' | 'trace'
  /** Whether this connection may act. */
  mayAct: boolean
  /** Milliseconds since 1970. */
  now: number
  /** How often changes are sent, at most. */
  everyMs: number
}

/** A stable code and a text for people. Match codes, never text. */
export interface Failure { code: string; message: string }

// ---- topics -----------------------------------------------------------------------------------------------------------------

/** Names of topics. Each part is encoded with encodeURIComponent, so that ids may hold anything. */
export const topics = {
  cluster: 'cluster',
  actors: 'actors',
  runs: 'runs',
  actor: (key: string): string => `actor/${part(key)}`,
  /** The definition of a machine: `breaker`, `episode`, … */
  machine: (machine: string): string => `machine/${part(machine)}`,
  episodes: (run: string): string => `episodes/${part(run)}`,
  episode: (run: string, episode: string): string => `episode/${part(run)}/${part(episode)}`,
  /** `page` from 0, of `turnsPerPage` turns. */
  rollout: (run: string, rollout: string, page = 0): string => `rollout/${part(run)}/${part(rollout)}/${page}`,
  /** `page` from 0, of `tokensPerPage` tokens of one segment. */
  tokens: (run: string, rollout: string, segment: number, page = 0): string => `tokens/${part(run)}/${part(rollout)}/${segment}/${page}`,
  training: (run: string): string => `training/${part(run)}`,
  /** Of the one simulation that is looked at. */
  trace: 'trace'
}

const part = (text: string): string => encodeURIComponent(text)

export const turnsPerPage = 50
export const tokensPerPage = 4096

/** By the first part of a topic's name: its value, and its changes. `never`: it is only ever sent whole. */
export interface Topics {
  cluster: { value: ClusterView; change: never }
  actors: { value: ActorsView; change: ActorsChange }
  runs: { value: RunRow[]; change: never }
  actor: { value: ActorView; change: ActorChange }
  machine: { value: MachineView; change: never }
  episodes: { value: EpisodesView; change: EpisodesChange }
  episode: { value: EpisodeView; change: never }
  rollout: { value: RolloutView; change: never }
  tokens: { value: TokensView; change: never }
  training: { value: TrainingView; change: never }
  trace: { value: TraceView; change: never }
}

/** JSON as it is. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** A text that may have been cut: `text` is its beginning, `bytes` the length of the whole in UTF-8. `cut`: there is more. */
export interface Text { text: string; bytes: number; cut: boolean }

// ---- cluster ----------------------------------------------------------------------------------------------------------------

export interface ClusterView {
  at: number
  nodes: NodeRow[]
  /** Work that waits, and work that was taken and is not acknowledged. Of one process: its own queue. */
  queues: QueueRow[]
  /** Of all runs that are not final, together. */
  ledger: LedgerTotals
  throughput: Throughput
  policies: { model: string; version: string; at: number | null }[]
  /** Largest count first. */
  faults: FaultRow[]
  /** Those that are not over first. */
  runs: RunRow[]
  /** Runs that are not here, since there are too many. */
  runsLeftOut: number
}

export interface NodeRow {
  node: string
  host: string
  pid: number
  version: string
  /** `serving`, `draining`, … ; `silent`: its presence is not renewed; `gone`: its presence has faded, without its leave. */
  state: string
  labels: Record<string, string>
  slots: SlotRow[]
  /** Ids of the arenas that it holds, and why it could not open others. */
  arenas: string[]
  refusals: { target: string; code: string; reason: string }[]
  /** Deliveries by what became of them. */
  delivered: Record<string, number>
  /** Live actors; null where it does not answer. */
  actors: number | null
  startedAt: number
  /** When it was last heard of. */
  seenAt: number
}

/** `kind`: `run`, `verify`, `grade`, `own` (episodes), `lead` (runs); of one process: `work`. */
export interface SlotRow { kind: string; total: number; busy: number; done: number }
export interface QueueRow { kind: string; waiting: number; taken: number }
export interface LedgerTotals { dispatched: number; settled: number; cancelled: number; quarantined: number; open: number }
/** What ended within the last `windowMs`. */
export interface Throughput { windowMs: number; episodes: number; rollouts: number; works: number }
/** What went wrong, by its code. `reason` and `work` are of the last one. */
export interface FaultRow { code: string; count: number; reason: string; work: string; at: number | null }

export interface RunRow {
  run: string
  /** `running`, `paused`, `cancelled`, `done`, `failed`; of a folder also `unfinished`. */
  state: string
  reason: string
  targets: string[]
  /** Settled episodes, and how many there will be; null: until it is stopped. */
  episodes: { settled: number; total: number | null }
  ledger: LedgerTotals
  policies: { breaker: string; solver: string }
  group: number
  seed: number
  startedAt: number | null
  /** The run waits for its trainer: bytes of samples before it, and how many are allowed. */
  wait: { trainer: string; bytes: number; bytesMax: number } | null
  /** Words for `Action.do` that this run takes now. */
  acts: RunVerb[]
}

// ---- actors -----------------------------------------------------------------------------------------------------------------

export interface ActorsView {
  rows: ActorRow[]
  /** Rows that are not here, since there are more than `actorRowsMax`. */
  leftOut: number
  /** Nodes that do not tell their actors, and why; not there where all do. */
  silent?: SilentNode[]
}

export interface SilentNode extends Failure { node: string }

/** Rows that are new or have changed, whole; and keys of those that nobody keeps any more. */
export interface ActorsChange { rows: ActorRow[]; gone: string[]; leftOut: number; silent?: SilentNode[] }

export interface ActorRow {
  /** Names the actor for good: `<node>/<n>`. */
  key: string
  /** Key of its parent; null for a root. A parent may be missing from the list, or be on another node: `<node>/<n>` says so. */
  parent: string | null
  node: string
  /** `node`, `slot`, `run`, `episode`, `breaker`, `solver`, `verifier`, `sandbox`; `work` is a piece of work, which has no machine and no definition. */
  machine: string
  id: string
  run: string | null
  episode: string | null
  rollout: string | null
  work: string | null
  /** Paths of the innermost active states, joined by spaces: `attending.serving`. See `StateNode.path`. */
  state: string
  tags: string[]
  status: 'active' | 'done' | 'failed' | 'stopped'
  /** Since when it is in `state`. */
  sinceAt: number
  startedAt: number
  endedAt: number | null
  transitions: number
  /** How often the same work was begun anew on this node, and how often it failed. */
  restarts: number
  failures: number
  /** Why it failed last; '' for never. */
  reason: string
  /** Events that may be sent to it by hand as it is now (`Action` of `send`): cancel, pause, step. */
  acts: string[]
}

/** One actor in detail. Only while somebody looks does it keep a log of events. */
export interface ActorView {
  row: ActorRow
  /** Its past, oldest first, at most `stepsMax`; the last one is now. */
  steps: Step[]
  /** Steps that were forgotten. */
  stepsLeftOut: number
  events: EventLine[]
  eventsLeftOut: number
  /** Children of the machine: invoked effects and spawned ones. */
  children: { id: string; status: string }[]
}

/** New steps and events go behind those that are there; the page keeps at most as many as `stepsMax` and `eventsMax`. */
export type ActorChange = ActorView

/** A snapshot. */
export interface Step {
  /** Counts from 1, without a gap but for `stepsLeftOut`. */
  n: number
  at: number
  /** The event that led here; null: not known, since nobody looked. */
  event: string | null
  state: string
  tags: string[]
  status: ActorRow['status']
  /** As JSON with two blanks of indent, cut at `contextBytesMax`. */
  context: Text
}

export interface EventLine {
  n: number
  at: number
  event: string
  /** Id of the actor that sent it; null: from outside. */
  from: string | null
  /** The event without its type as JSON; '' where there is nothing else. */
  data: Text
}

export const actorLimits = { actorRowsMax: 20_000, stepsMax: 64, eventsMax: 256, contextBytesMax: 8 * 1024 }

// ---- machines ---------------------------------------------------------------------------------------------------------------

export interface MachineView { machine: string; root: StateNode }

export interface StateNode {
  /** Keys from below the root joined by dots: `attending.serving`; '' for the root. */
  path: string
  key: string
  type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history'
  /** Path of the initial state; null where there is none. */
  initial: string | null
  tags: string[]
  entry: string[]
  exit: string[]
  invokes: { id: string; src: string }[]
  transitions: Transition[]
  states: StateNode[]
}

export interface Transition {
  /** Of the machine: `episode.solving#3`. */
  id: string
  kind: 'event' | 'always' | 'after' | 'done' | 'error'
  /** The event's type, as in `EventLine.event` and `Step.event`; a wildcard ends in `*`. '' for `always`. */
  event: string
  /** For people: `done break`, `after drain`, `node.drain`. */
  label: string
  guard: string | null
  actions: string[]
  /** Paths; none: it stays where it is. */
  targets: string[]
  reenter: boolean
}

// ---- actions ----------------------------------------------------------------------------------------------------------------

export type RunVerb = 'pause' | 'resume' | 'cancel'

export type Action =
  | { do: 'drain'; node: string }
  | { do: RunVerb; run: string }
  /** `event` is one of the actor's `acts`. */
  | { do: 'send'; actor: string; event: string }

// ---- reports ----------------------------------------------------------------------------------------------------------------

/** The element of a report's page that holds it: `<script type="application/json" id="spar-report">`. Where it is there, the page opens no WebSocket. */
export const reportElement = 'spar-report'

/** Values by the name of their topic. A topic that is not here was left out, or never was. */
export interface Report { hello: Hello; values: Record<string, unknown>; /** Topics that would have made it too large. */ leftOut: number }
