// One machine of the simulated cluster and the processes that live on it, one after the other: a process that crashed is another one when
// it comes back, and finds on its machine what the last one left.

import { startNode, type RunningNode } from '../node.ts'
import type { NodePorts } from '../cluster/types.ts'
import type { Bus } from '../../src/bus/types.ts'
import type { Slots } from '../../src/cluster/limits.ts'
import type { NodeReport } from '../../src/cluster/report.ts'
import type { Arena } from '../../src/domain.ts'
import { createHost, type Host } from '../../src/simulation/host.ts'
import { createLink, type Link } from '../../src/simulation/link.ts'
import { simulatedBus } from '../../src/simulation/bus.ts'
import type { Random } from '../../src/ports.ts'
import type { World } from './world.ts'

/** Waiting costs nothing in virtual time, but asking does. */
const patient = { pullMs: 60_000, pullSharedMs: 20_000, probeMs: 20_000, heartbeatMs: 5_000, trainerLookMs: 5_000 }

/** What a process is given beside the bus. */
export type PortsOf = (life: { host: Host; random: Random; bus: Bus }) => { ports: Omit<NodePorts, 'clock' | 'newId'>; /** What a process does last. */ close (): Promise<void> }

export interface Life { host: Host; link: Link; node: RunningNode; inner: Bus; endedAt: number | null }

export interface SimulatedNode {
  readonly name: string
  /** The process that lives there now, or lived last. */
  readonly life: Life | null
  readonly lives: number
  start (): void
  crash (): void
  /** Nothing is done for it any more, and it does nothing. */
  end (): void
}

export interface SimulatedNodeOptions { name: string; slots: Slots; drainMs: number; portsOf: PortsOf; open: (target: string) => Arena; onReport: (report: NodeReport) => void; onCrash: () => void; /** Told why it ended by a fault. */ onFailed: (reason: string) => void }

export function createSimulatedNode (world: World, options: SimulatedNodeOptions): SimulatedNode {
  const { time, fates, trace, plan, broker, arenasMax } = world
  const { name, slots, drainMs, portsOf, open, onReport, onCrash, onFailed } = options
  const random = world.random.fork(name)
  const { skewMs, drift, slowFactor, slowShare } = plan.shapes
  const slow = random.fork('slow').next() < slowShare ? slowFactor : 1
  let life: Life | null = null
  let lives = 0

  const node: SimulatedNode = {
    name,
    get life () { return life },
    get lives () { return lives },
    start () {
      const id = `${name}-${++lives}`
      const own = random.fork(`life ${lives}`)
      const host = createHost({
        name: id, time, skewMs: Math.round((2 * own.next() - 1) * skewMs), drift: (2 * own.next() - 1) * drift,
        onHear: host => {
          if (fates.strikes('crash')) node.crash()
          else if (fates.strikes('pause')) {
            trace(id, 'paused')
            host.pause()
            time.at(time.now() + fates.downMs(), () => {
              if (host.state !== 'paused') return
              trace(id, 'resumed')
              host.resume()
            })
          }
        }
      })
      const link = createLink({ time, random: own.fork('link'), fates, latency: { min: world.latency.min * slow, spread: world.latency.spread * slow } })
      const inner = broker.connect()
      const bus = simulatedBus({ inner, server: world.inner, host, link, time, fates, onDone: (what, detail) => trace(id, what, detail), crash: () => { if (host.state !== 'crashed') node.crash() } })
      const { ports, close } = portsOf({ host, random: own, bus })
      let ids = 0
      const running = startNode({
        nodeId: id, bus, slots, drainMs, about: { host: name, pid: lives, version: 'simulated', labels: {} }, limits: { ...patient, arenasMax },
        open: async ({ target }) => {
          await host.clock.sleep(500 * slow)
          return open(target)
        },
        ports: { ...ports, clock: host.clock, newId: () => `${id}.${++ids}` },
        onEvent: report => {
          trace(id, report.type, report.type === 'delivered' ? `${report.run}.${report.work}#${report.delivery} ${report.outcome} ${report.code ?? ''}` : '')
          onReport(report)
        }
      })
      const begun: Life = { host, link, node: running, inner, endedAt: null }
      life = begun
      running.ready.catch(() => {})
      running.ended.then(async outcome => {
        await close()
        begun.endedAt = time.now()
        trace(id, 'ended', JSON.stringify(outcome))
        if (outcome.kind === 'failed') onFailed(`${outcome.code}: ${outcome.reason}`)
      }, (error: unknown) => onFailed(`DEFECT: ${String(error)}`))
      trace(id, 'started', slow === 1 ? '' : 'slow')
    },
    crash () {
      if (life === null || life.host.state === 'crashed') return
      trace(life.host.name, 'crashed')
      node.end()
      onCrash()
    },
    end () {
      life?.host.crash()
      // Whatever the server still does for it is over too.
      void life?.inner.close()
    }
  }
  return node
}
