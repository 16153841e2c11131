// `spar run samples`: how many samples of a run there are that somebody has yet to use, by who reads them. Nothing is removed here or
// anywhere: what everybody has acknowledged stays until an operator purges it.

import { upToNow } from '../bus/now.ts'
import type { Bus, LogPlace } from '../bus/types.ts'
import { isBelow } from '../bus/keys.ts'
import { createAheadCount, createRounds, type Ahead } from '../cluster/ahead.ts'
import { getDocument, type RunDocument } from '../cluster/document.ts'
import { outcomesOf } from '../cluster/outcomes.ts'
import { readersOf } from '../cluster/samples.ts'
import type { Io } from './command.ts'
import { mib, renderTable } from './table.ts'
import { neutralJson } from './terminal.ts'

interface Position extends LogPlace {
  /** Of this run; samples of rounds that are not settled yet are left out, as where the run waits. */
  ahead: Ahead
  /** Whether the run waits for it. */
  isTrainer: boolean
}

export async function showSamples (bus: Bus, name: string, io: Io, json: boolean): Promise<number> {
  const document = await getDocument(bus, name)
  const positions = await positionsOf(bus, document)
  const { trainer } = document
  if (json) {
    io.out(neutralJson({ run: name, trainer, readers: positions }))
    return 0
  }
  io.out(positions.length === 0 ? `Nobody keeps a place in the samples of ${name}.` : renderTable(['reader', 'of', 'samples ahead', 'MiB ahead', 'held', 'acknowledged up to'], positions.map(({ reader, prefix, ahead, held, acknowledged }) =>
    [reader, prefix === '' ? 'all runs' : prefix, String(ahead.samples), mib(ahead.bytes), String(held), String(acknowledged)])))
  if (trainer !== null) io.out(`${name} waits for the trainer "${trainer.name}" when ${mib(trainer.aheadBytesMax)} MiB are before it${positions.some(({ isTrainer }) => isTrainer) ? '' : '. It was never there'}.`)
  return 0
}

async function positionsOf (bus: Bus, { name, options, trainer }: RunDocument): Promise<Position[]> {
  const places = (await bus.log.samples.places()).filter(({ prefix }) => isBelow(name, prefix))
  const rounds = createRounds(options)
  for (const episode of (await outcomesOf(bus, name)).values.keys()) rounds.settle(episode)
  const counts = places.map(() => createAheadCount(options, rounds))
  const first = Math.min(...places.map(({ acknowledged }) => acknowledged))
  if (places.length > 0) for await (const entry of upToNow(signal => bus.log.samples.follow(name, signal, first))) for (const count of counts) count.enter(entry)
  const readers = trainer === null ? [] : readersOf(trainer.name, name)
  return places.map((place, index) => ({ ...place, ahead: counts[index]!.look([place]), isTrainer: readers.includes(place.reader) }))
}
