// Seeds one after the other: in this process, or dealt to several, each of which plays one at a time. Results come in the order of the
// seeds either way.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Simulated, SimulateOptions } from '../../actors/simulation/simulate.ts'
import { SparError } from '../errors.ts'

export interface PlayedSeed { one: SimulateOptions; simulated: Simulated }

export async function * playHere (seeds: Iterable<SimulateOptions>, play: (one: SimulateOptions) => Promise<Simulated>): AsyncGenerator<PlayedSeed> {
  for (const one of seeds) yield { one, simulated: await play(one) }
}

/** Processes of a hunt, at most. */
export const jobsMax = 256
/** Seeds that were dealt and not yet told of, at most: where one takes long the others wait for it at last. */
const dealtMax = 1_024
const worker = fileURLToPath(new URL('simulate-worker.js', import.meta.url))

/** Throws SIMULATION_LOST, with its seed, where a process ends before its seed does. `program` is what each of them runs. */
export async function * playApart (seeds: Iterator<SimulateOptions>, jobs: number, program = worker): AsyncGenerator<PlayedSeed> {
  const players = Array.from({ length: jobs }, () => startPlayer(program))
  const idle = [...players]
  const dealt: { one: SimulateOptions; playing: Promise<Simulated> }[] = []
  const deal = (): void => {
    while (idle.length > 0 && dealt.length < dealtMax) {
      const next = seeds.next()
      if (next.done === true) return
      const player = idle.pop()!
      const playing = player.play(next.value).then(simulated => {
        idle.push(player)
        deal()
        return simulated
      })
      // It is told in its turn.
      playing.catch(() => {})
      dealt.push({ one: next.value, playing })
    }
  }
  try {
    deal()
    for (let next = dealt.shift(); next !== undefined; next = dealt.shift()) {
      yield { one: next.one, simulated: await next.playing }
      deal()
    }
  } finally { for (const player of players) player.end() }
}

interface Player { play (one: SimulateOptions): Promise<Simulated>; end (): void }

function startPlayer (program: string): Player {
  const child = fork(program, { serialization: 'advanced' })
  let playing: { resolve (simulated: Simulated): void; reject (error: Error): void; seed: number } | null = null
  let ended: string | null = null
  const lost = (seed: number): SparError => new SparError('SIMULATION_LOST', `Seed ${seed} was not played to its end: the process that played it ${ended!}`)
  const end = (why: string): void => {
    ended ??= why
    playing?.reject(lost(playing.seed))
  }
  child.on('message', simulated => playing?.resolve(simulated as Simulated))
  child.on('exit', (code, signal) => end(signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`))
  child.on('error', error => end(`could not be reached (${error.message})`))
  return {
    play: one => new Promise((resolve, reject) => {
      if (ended !== null) return reject(lost(one.seed))
      playing = { resolve, reject, seed: one.seed }
      child.send(one)
    }),
    end: () => child.kill()
  }
}
