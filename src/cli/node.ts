// `spar node`: one node of the cluster. Joins the bus, opens the arenas that runs need, takes what its slots can do, and drains
// when it is told to end.

import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import { superviseSandboxes } from '../../actors/sandbox.ts'
import { machineViews } from '../../actors/definitions.ts'
import { startNode, type RunningNode } from '../../actors/node.ts'
import { openArena } from '../arena/open.ts'
import { createBridgeServer } from '../bridge/server.ts'
import type { Bus } from '../bus/types.ts'
import { checkName } from '../cluster/keys.ts'
import { clusterLimits, slotDefaults, type Slots } from '../cluster/limits.ts'
import { followPolicies } from '../cluster/policy-versions.ts'
import { systemClock } from '../clock.ts'
import { SparError, toPlain } from '../errors.ts'
import { createRegistry, type Registry } from '../inspect/registry.ts'
import { serveInspect } from '../inspect/serve.ts'
import { measureNode, measureWorkers } from '../metrics/node.ts'
import { measureSandboxes } from '../metrics/sandboxes.ts'
import type { Metrics } from '../metrics/types.ts'
import type { Sandboxes } from '../ports.ts'
import { createRandom } from '../random.ts'
import { parseWhole, runDefaults, type RunOptions } from '../run/options.ts'
import { createSandboxes, type SandboxesOptions } from '../sandbox/index.ts'
import { startsPerSecondPerCore } from '../sandbox/limits.ts'
import { keepReaping, limitStarts, reapMsDefault } from '../sandbox/tending.ts'
import { verifyPorts } from '../verify/ports.ts'
import { createPool } from '../workers/pool.ts'
import { sparHome, type Io } from './command.ts'
import { inspectOptionTypes, inspectUsage, listenForPage, servePage, withInspectAt, type InspectValues } from './inspect-options.ts'
import { clusterSource } from './inspect-sources.ts'
import { readLevel } from './log.ts'
import { natsOptionTypes, natsUsage, openBus, type NatsValues } from './nats-options.ts'
import { serveHealth, type ServedHealth } from './node-health.ts'
import { createNodeLog, type NodeLog } from './node-log.ts'
import { openWatch, watchOptionTypes, watchUsage } from './node-watch.ts'
import { readSandboxes, sandboxOptionTypes, sandboxUsage } from './parse.ts'
import { createPolicies, type Policies, type PolicyPorts } from './policies.ts'
import { readPolicy } from './policy-values.ts'
import { version } from './version.ts'

const usage = `Usage: spar node [options]

A node of the cluster: takes episodes, rollouts, verifications and grades off the bus until it is told to end. SIGTERM drains:
nothing new is taken, what runs has --drain-ms to finish, the rest is handed back.

${natsUsage}
  --name n                 default: the host and a few letters
  --slots start=2,run=8,verify=2,grade=2,own=16    sandboxes that start at a time, rollouts, verifications, grades, episodes owned
  --labels gpu=no,rack=a   shown by spar run watch and /status
  ${sandboxUsage}
  --start-rate n           sandboxes that start in a second, over time (default: ${startsPerSecondPerCore.docker} containers or ${startsPerSecondPerCore.process} processes a core)
  --arenas a,b             targets to open before anything is taken; others are opened when a run needs them
  --policy …, --breaker, --solver, --model …       as of spar play: who plays in runs that say "node"
  --drain-ms 30000         --reap-ms 60000   how often what dead owners left on this machine is removed
  --http 127.0.0.1:8321   /healthz, /readyz, /status, /metrics; "off" for none
  --inspect[=host:port]    the page of the cluster on this node too, at 127.0.0.1:8322
${inspectUsage}
${watchUsage}`

const policyOptionTypes = {
  policy: { type: 'string' }, breaker: { type: 'string' }, solver: { type: 'string' }, model: { type: 'string' }, 'policy-version': { type: 'string' }, temperature: { type: 'string' }, 'top-p': { type: 'string' }, 'max-tokens': { type: 'string' },
  tools: { type: 'string' }, 'logprobs-mode': { type: 'string' }, 'format-errors': { type: 'string' }, prompts: { type: 'string' }
} as const
const optionTypes = {
  ...natsOptionTypes, ...policyOptionTypes, ...watchOptionTypes, ...inspectOptionTypes, inspect: { type: 'string' }, name: { type: 'string' }, slots: { type: 'string' }, labels: { type: 'string' }, ...sandboxOptionTypes, 'start-rate': { type: 'string' }, arenas: { type: 'string' }, 'drain-ms': { type: 'string' }, 'reap-ms': { type: 'string' }, http: { type: 'string' },
  help: { type: 'boolean', short: 'h' }
} as const

const httpDefault = '127.0.0.1:8321'
export async function run (argv: string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: withInspectAt(argv), options: optionTypes })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const slots = parseSlots(values.slots)
  const nodeId = checkName('the name of a node', values.name ?? defaultName())
  const drainMs = values['drain-ms'] === undefined ? 30_000 : parseWhole('drain-ms', values['drain-ms'], 0, 86_400_000)
  const reapMs = values['reap-ms'] === undefined ? reapMsDefault : parseWhole('reap-ms', values['reap-ms'], 100, 86_400_000)
  const labels = parseLabels(values.labels)
  const own = { ...runDefaults, target: '', ...readPolicy(values) }
  const wanted = { ...readSandboxes(values), ...(values['start-rate'] === undefined ? {} : { startsPerSecond: parseWhole('start-rate', values['start-rate'], 1, 10_000) }) }
  const log = createNodeLog(io, { json: values.json === true, level: readLevel(values['log-level'], process.env), node: nodeId })
  const watch = await openWatch(values, nodeId, log)
  const { metrics, report } = watch
  const bus = await openBus(values as NatsValues, `spar node ${nodeId}`, (status, detail) => log({ type: 'bus', status, detail }))
  const registry = createRegistry({ node: nodeId, clock: systemClock })
  const sandboxes = await openSandboxes(wanted, slots, registry, metrics)
  const workers = createPool()
  measureWorkers(metrics, workers)
  const bridge = createBridgeServer({ bus, clock: systemClock, metrics })
  const over = new AbortController()
  const served = followPolicies(bus, (code, reason) => report({ type: 'fault', code, reason }), over.signal)
  const policies = createPolicyCache(own, { workers, versionsOf: served.of, onLine: line => log({ type: 'progress', line }) })
  let node: RunningNode | null = null
  let health: ServedHealth | null = null
  let page: { close (): Promise<void> } | null = null
  try {
    // Before the node is there: an address or a token that will not do ends the command before anything is joined.
    if (values.http !== 'off') health = await serveHealth(values.http ?? httpDefault, { isReady: () => node?.isReady === true, status: () => node?.presence() ?? { node: nodeId, state: 'starting' }, metrics })
    if (values.inspect !== undefined) page = await serveClusterPage(bus, values.inspect, values, io)
    await served.ready
    const { removed } = await sandboxes.reap()
    if (removed.length > 0) log({ type: 'reaped', removed })
    const open = (target: string, setup: string | null, test: string | null, signal?: AbortSignal) => openArena({
      target, home: sparHome(), sandboxKind: sandboxes.kind, onProgress: line => log({ type: 'progress', line }),
      ...(setup === null ? {} : { setup }), ...(test === null ? {} : { test }), ...(signal === undefined ? {} : { signal })
    }, { sandboxes, clock: systemClock })
    for (const target of (values.arenas ?? '').split(',').filter(target => target !== '')) await open(target, null, null)
    const started = node = startNode({
      nodeId, bus, slots, drainMs, onEvent: report,
      about: { host: hostname(), pid: process.pid, version: version(), labels },
      open: async ({ target, setup, test }, signal) => await open(target, setup, test, signal),
      ports: {
        clock: systemClock, newId: randomUUID, registry, sandboxes, policiesOf: policies.of, metrics, watch: watch.of,
        verify: { ...verifyPorts(sandboxes, { workers }), metrics }
      }
    })
    measureNode(metrics, started, { bus, clock: systemClock })
    void keepReaping(sandboxes, systemClock, reapMs, over.signal, removed => log({ type: 'reaped', removed }))
    await serveInspect(bridge, { registry, machines: machineViews, clock: systemClock, drain: () => started.drain() }).catch((error: unknown) => {
      // Who may not serve does its work all the same.
      const { code, message } = toPlain(error)
      report({ type: 'fault', code, reason: message })
    })
    return await serve(started, bus, health?.url ?? null, log)
  } finally {
    over.abort()
    await Promise.allSettled([page?.close(), health?.close()])
    await Promise.allSettled([bridge.destroy(), sandboxes.close(), workers.close(), policies.close()])
    await bus.close()
    await watch.close()
  }
}

async function serveClusterPage (bus: Bus, at: string, values: InspectValues, io: Io): Promise<{ close (): Promise<void> }> {
  const listening = await listenForPage(at, '--inspect', values)
  const source = clusterSource(bus)
  const gateway = servePage(source, listening, io)
  return { async close () { await gateway.close(); await source.close() } }
}

async function serve (node: RunningNode, bus: Bus, http: string | null, log: NodeLog): Promise<number> {
  const controls = new AbortController()
  let interrupts = 0
  const end = (): void => {
    if (++interrupts === 1) node.drain()
    else process.exit(130)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  void followControls(node, bus, controls.signal)
  try {
    await node.ready
    log({ type: 'ready', http })
    const outcome = await node.ended
    if (outcome.kind === 'failed') throw new SparError(outcome.code, `The node ${node.nodeId} cannot go on: ${outcome.reason}`, { retryable: true })
    return 0
  } finally {
    controls.abort()
    process.off('SIGTERM', end)
    process.off('SIGINT', end)
  }
}

/** Whoever may send signals may tell a node to drain. */
async function followControls (node: RunningNode, bus: Bus, signal: AbortSignal): Promise<void> {
  for await (const { topic } of bus.signals(`control.${node.nodeId}`, signal)) if (topic.endsWith('.drain')) node.drain()
}

async function openSandboxes (wanted: Omit<SandboxesOptions, 'home'>, { start }: Slots, registry: Registry, metrics: Metrics): Promise<Sandboxes> {
  return limitStarts(measureSandboxes(superviseSandboxes(await createSandboxes({ ...wanted, place: 'directory', home: sparHome() }), { registry }), metrics, systemClock), start)
}

/** The policies of a run, opened once for the same options; "node" stands for this node's own. */
function createPolicyCache (own: RunOptions, ports: Pick<PolicyPorts, 'workers' | 'versionsOf' | 'onLine'>): { of (options: RunOptions): Promise<Policies>; close (): Promise<void> } {
  const opened = new Map<string, Promise<Policies>>()
  return {
    of (options) {
      const wanted = { ...options, ...(options.breaker === 'node' ? ownRole(own, 'breaker') : {}), ...(options.solver === 'node' ? ownRole(own, 'solver') : {}) }
      const { breaker, solver, model, policyVersion, logprobsMode, temperature, topP, completionTokensMax, tools, formatErrors, prompts, commandsMsMax } = wanted
      const key = JSON.stringify([breaker, solver, model, policyVersion, logprobsMode, temperature, topP, completionTokensMax, tools, formatErrors, prompts, commandsMsMax])
      const known = opened.get(key)
      if (known !== undefined) return known
      const making = createPolicies(wanted, { ...ports, home: sparHome(), clock: systemClock, random: createRandom(options.seed).fork('servers') })
      opened.set(key, making)
      making.catch(() => opened.delete(key))
      return making
    },
    async close () { await Promise.allSettled([...opened.values()].map(async policies => { await (await policies).close() })) }
  }
}

/** A node's own policy brings its model and sampling along. */
function ownRole (own: RunOptions, role: 'breaker' | 'solver'): Partial<RunOptions> {
  const { target: _, ...policy } = own
  return { [role]: policy[role], model: own.model, policyVersion: own.policyVersion, logprobsMode: own.logprobsMode, temperature: own.temperature, topP: own.topP, completionTokensMax: own.completionTokensMax, tools: own.tools, prompts: own.prompts }
}

/** `start=2,run=8`: what is left out keeps its default. */
function parseSlots (value: string | undefined): Slots {
  const slots = { ...slotDefaults }
  for (const part of (value ?? '').split(',').filter(part => part !== '')) {
    const [name = '', count = ''] = part.split('=')
    if (!Object.hasOwn(slots, name)) throw new SparError('OPTION_INVALID', `Cannot use --slots "${part}": it takes ${Object.keys(slots).map(slot => `${slot}=n`).join(',')}`)
    slots[name as keyof Slots] = parseWhole(`slots ${name}`, count, name === 'start' ? 1 : 0, clusterLimits.slotsMax)
  }
  const total = slots.run + slots.verify + slots.grade + slots.own
  if (total > clusterLimits.slotsMax) throw new SparError('OPTION_INVALID', `Cannot use --slots "${value ?? ''}": ${total} slots together, slotsMax is ${clusterLimits.slotsMax}. Start another node`)
  return slots
}

function parseLabels (value: string | undefined): Record<string, string> {
  return Object.fromEntries((value ?? '').split(',').filter(part => part !== '').map(part => {
    const [name = '', ...rest] = part.split('=')
    if (!/^[A-Za-z0-9_.-]{1,63}$/.test(name) || rest.length === 0) throw new SparError('OPTION_INVALID', `Cannot use --labels "${part}": it takes name=value, joined by commas`)
    return [name, rest.join('=')]
  }))
}

/** Unique for each process, so that a node that comes back is another one. */
const defaultName = (): string => `${hostname().toLowerCase().replace(/[^a-z0-9-]+/g, '-').replace(/^-+/, '').slice(0, 40) || 'node'}-${process.pid.toString(36)}${Date.now().toString(36).slice(-4)}`
