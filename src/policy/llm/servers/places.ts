// Who is asked next, and when. A turn goes to the endpoint that had the conversation before, for its prefix cache; a new
// conversation to the one with the fewest tokens under way. Where every place is taken, turns wait in the order they came.
//
// 1. A turn that waits has no free place that it would take: whenever a place comes free, or an endpoint comes or goes, those
//    that wait are looked through in order. So nobody who comes later overtakes, and nobody waits behind a turn that only
//    waits for its own endpoint.
// 2. A conversation leaves its endpoint when its fuse is open, or when it is full and another is less than half full: its
//    prompt is then computed anew there, which is dearer than a short wait and cheaper than a long one. A turn that is tried
//    again leaves the endpoint that failed it at once, where there is another.
// 3. Where no endpoint can be asked and none is being looked at, nobody waits: SERVER_DOWN.

import type { Clock } from '../../../ports.ts'
import type { Endpoint } from './endpoint.ts'
import { cancelled, fault, isBlamed } from './faults.ts'
import type { ServerLimits } from './limits.ts'

export interface Place {
  readonly endpoint: Endpoint
  /** The endpoint's fuse was open: look before you ask, and say what you found. */
  readonly isProbe: boolean
  mended (): void
  /** Ends the turn: null when it was answered. Once. */
  leave (error: unknown): void
}

export interface Places {
  readonly waiting: number
  take (turn: Claim, signal: AbortSignal): Promise<Place>
  close (): void
}

/** Who asks for a place, for how many tokens, and the endpoint that has just failed this very turn. */
export interface Claim { conversation: string; tokens: number; failedAt: Endpoint | null }

interface Waiter { claim: Claim; enter (place: Place): void; refuse (error: Error): void }

export function createPlaces (endpoints: readonly Endpoint[], limits: ServerLimits, clock: Clock): Places {
  const homes = new Map<string, Endpoint>()
  const queue: Waiter[] = []

  const hasRoom = (endpoint: Endpoint): boolean => endpoint.fuse.state === 'closed' ? endpoint.active < endpoint.window.size : true
  const lighter = (a: Endpoint, b: Endpoint): Endpoint => (b.outstanding - a.outstanding || b.taken - a.taken) < 0 ? b : a

  /** null: wait. */
  const choose = ({ conversation, failedAt }: Claim): Endpoint | 'down' | null => {
    const now = clock.now()
    const admitted = endpoints.filter(endpoint => endpoint.fuse.admits(now))
    const others = admitted.filter(endpoint => endpoint !== failedAt)
    const live = others.length === 0 ? admitted : others
    if (live.length === 0) return endpoints.some(endpoint => endpoint.fuse.state === 'probing') ? null : 'down'
    const free = live.filter(hasRoom)
    if (free.length === 0) return null
    const home = homes.get(conversation)
    if (home === undefined || !live.includes(home)) return free.reduce(lighter)
    if (free.includes(home)) return home
    const idle = free.filter(endpoint => endpoint.fuse.state === 'closed' && endpoint.active < endpoint.window.size / 2)
    return idle.length === 0 ? null : idle.reduce(lighter)
  }

  const settle = (conversation: string, endpoint: Endpoint): void => {
    homes.delete(conversation)
    homes.set(conversation, endpoint)
    if (homes.size > limits.conversationsMax) homes.delete(homes.keys().next().value!)
  }

  const seat = ({ conversation, tokens }: Claim, endpoint: Endpoint): Place => {
    const isProbe = endpoint.fuse.state === 'open'
    let isLooking = isProbe
    if (isProbe) endpoint.fuse.probe()
    endpoint.active++
    endpoint.taken++
    endpoint.outstanding += tokens
    settle(conversation, endpoint)
    return {
      endpoint,
      isProbe,
      mended () {
        isLooking = false
        endpoint.fuse.mend()
        serve()
      },
      leave (error) {
        endpoint.ended(error)
        // A look that ended in something that says nothing of the endpoint (a cancelled turn) is for the next one to repeat.
        if (isLooking && error !== null && !isBlamed(error)) endpoint.fuse.giveUp(clock.now())
        endpoint.active--
        endpoint.outstanding -= tokens
        serve()
      }
    }
  }

  const serve = (): void => {
    for (let index = 0; index < queue.length;) {
      const waiter = queue[index]!
      const chosen = choose(waiter.claim)
      if (chosen === null) {
        index++
        // Nobody behind has a place either where there is none at all.
        if (!endpoints.some(endpoint => endpoint.fuse.admits(clock.now()) && hasRoom(endpoint))) return
        continue
      }
      queue.splice(index, 1)
      if (chosen === 'down') waiter.refuse(down(endpoints))
      else waiter.enter(seat(waiter.claim, chosen))
    }
  }

  const wait = (claim: Claim, signal: AbortSignal): Promise<Place> => new Promise((resolve, reject) => {
    const leave = (): void => {
      queue.splice(queue.indexOf(waiter), 1)
      reject(cancelled())
    }
    const waiter: Waiter = {
      claim,
      enter (place) { signal.removeEventListener('abort', leave); resolve(place) },
      refuse (error) { signal.removeEventListener('abort', leave); reject(error) }
    }
    signal.addEventListener('abort', leave, { once: true })
    queue.push(waiter)
  })

  return {
    get waiting () { return queue.length },
    async take (claim, signal) {
      if (signal.aborted) throw cancelled()
      const chosen = choose(claim)
      if (chosen === 'down') throw down(endpoints)
      if (chosen !== null) return seat(claim, chosen)
      if (queue.length >= limits.waitingMax) throw fault('SERVER_BUSY', 'ask the model', `${queue.length} turns wait already, as many as waitingMax allows`, { waiting: queue.length })
      return await wait(claim, signal)
    },
    close () {
      for (const waiter of queue.splice(0)) waiter.refuse(cancelled())
    }
  }
}

const down = (endpoints: readonly Endpoint[]): Error =>
  fault('SERVER_DOWN', 'ask the model', `no endpoint is well: ${endpoints.map(endpoint => endpoint.address).join(', ')} failed and ${endpoints.length === 1 ? 'is' : 'are'} left alone for a while`)
