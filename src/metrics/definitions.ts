// Every metric of a node: its name, what it says, its labels. One table, which the registry is made of, and which docs/metrics.md,
// the dashboard and the alert rules are checked against. Seconds and bytes, as Prometheus wants it.

export type Definition = {
  type: 'counter' | 'gauge' | 'histogram'
  help: string
  labels: readonly string[]
  /** Upper bounds of a histogram's buckets. */
  buckets?: readonly number[]
  /** Of a metric with the label `run`: label sets of one run. */
  seriesPerRun?: number
}

export const metricsLimits = {
  /** Label sets of one metric; what comes above is counted under `other`, and in spar_metrics_folded_total. */
  seriesMax: 200,
  /** Runs that have series of their own; all others are together the run `other`. */
  runsMax: 50,
  /** Characters of a label's value; the rest is cut off. */
  labelCharsMax: 120,
  /** How long a scrape waits for the bus to say how deep the queues are. */
  depthMsMax: 2_000,
  /** Depths are asked for no more often than this. */
  depthEveryMs: 5_000
}

const fast = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60]
const long = [0.05, 0.2, 1, 5, 20, 60, 300, 1200, 3600]

const counter = (help: string, labels: readonly string[] = [], more: { seriesPerRun?: number } = {}) => ({ type: 'counter' as const, help, labels, ...more })
const gauge = (help: string, labels: readonly string[] = []) => ({ type: 'gauge' as const, help, labels })
const histogram = (help: string, labels: readonly string[], buckets: readonly number[]) => ({ type: 'histogram' as const, help, labels, buckets })

export const definitions = {
  spar_node_info: gauge('1, with the name and the version of the node.', ['node', 'version']),
  spar_node_ready: gauge('1 while the node takes work, as /readyz says it.'),
  spar_bus_connected: gauge('1 while the bus answers.'),
  spar_slots: gauge('Slots of the node by kind.', ['kind']),
  spar_slots_busy: gauge('Slots that are at work.', ['kind']),
  spar_arenas_held: gauge('Arenas that the node holds open.'),
  spar_arenas_refused: gauge('Arenas that the node could not open.'),
  spar_queue_waiting: gauge('Messages that wait for a first taker, as the bus says it: every node says the same.', ['kind', 'arena']),
  spar_queue_taken: gauge('Messages that were taken and are not acknowledged.', ['kind', 'arena']),
  spar_work_delivered_total: counter('Deliveries by what became of them.', ['kind', 'outcome']),
  spar_work_seconds: histogram('From taking a message to answering it.', ['kind'], long),
  spar_faults_total: counter('Faults of infrastructure by code: they are never a reward.', ['code']),
  spar_ledger_total: counter('Work of a run as this node wrote it into the records: dispatched, settled, cancelled, quarantined.', ['run', 'state'], { seriesPerRun: 4 }),
  spar_sandboxes_open: gauge('Sandboxes that are open.'),
  spar_sandboxes_opened_total: counter('Sandboxes that were opened.'),
  spar_sandboxes_lost_total: counter('Sandboxes that were lost while somebody used them.'),
  spar_sandboxes_reaped_total: counter('What the reaper removed after dead owners.'),
  spar_sandbox_open_failures_total: counter('Sandboxes that could not be opened.', ['code']),
  spar_sandbox_open_seconds: histogram('How long a sandbox takes to open.', [], fast),
  spar_rollouts_total: counter('Rollouts by how they ended.', ['role', 'outcome']),
  spar_policy_turns_total: counter('Replies of policies: a tool call, no usable one (malformed), or the end (gave_up).', ['role', 'policy', 'reply']),
  spar_policy_turn_seconds: histogram('How long a policy takes for a reply, tries and waiting included.', ['role', 'policy'], fast),
  spar_policy_tokens_total: counter('Tokens of models: prompt, of which cached, and completion. Policies that are programs have none.', ['role', 'policy', 'kind']),
  spar_policy_errors_total: counter('Replies that could not be had.', ['role', 'policy', 'code']),
  spar_policy_info: gauge('1, with the version that played last.', ['role', 'policy', 'version']),
  spar_tool_calls_total: counter('Tool calls of policies: ok, failed (another exit code than 0), timeout, or fault (ours).', ['role', 'tool', 'outcome']),
  spar_tool_seconds: histogram('How long tool calls take.', ['role', 'tool'], fast),
  spar_verify_checks_total: counter('Checks of verification by verdict: pass, fail, skip, error.', ['check', 'verdict']),
  spar_verify_stage_seconds: histogram('How long the stages of verification take.', ['stage'], long),
  spar_grades_total: counter('Grades of attempts.', ['outcome']),
  spar_bridge_calls_total: counter('Calls of services that have ended.', ['side', 'service', 'method', 'status']),
  spar_bridge_call_seconds: histogram('How long calls of services take.', ['side', 'service', 'method'], fast),
  spar_bridge_frames_total: counter('Frames of calls, sent and received.', ['side', 'direction']),
  spar_bridge_bytes_total: counter('Bytes of these frames.', ['side', 'direction']),
  spar_bridge_credit_waits_total: counter('Messages that waited until their reader had room.', ['side']),
  spar_workers_threads: gauge('Worker threads at most.'),
  spar_workers_running: gauge('Messages that threads work at.'),
  spar_workers_queued: gauge('Tasks that wait for a thread.'),
  spar_workers_queued_bytes: gauge('Bytes that these hold.'),
  spar_workers_tasks_total: counter('Tasks of threads: ok, failed, or lost with their thread.', ['task', 'outcome']),
  spar_trace_spans_total: counter('Spans: exported, dropped (the queue was full), failed (the receiver did not take them).', ['outcome']),
  spar_metrics_folded_total: counter('Counts that went to `other`, since a metric has its limit of label sets.', ['metric'])
} satisfies Record<string, Definition>

export type MetricName = keyof typeof definitions
type NamesOf<Type> = { [Name in MetricName]: (typeof definitions)[Name]['type'] extends Type ? Name : never }[MetricName]
export type CounterName = NamesOf<'counter'>
export type GaugeName = NamesOf<'gauge'>
export type HistogramName = NamesOf<'histogram'>
