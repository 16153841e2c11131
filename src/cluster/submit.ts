// A run comes onto the bus in two steps, its document and the message of who leads it: whoever was stopped between them does it again.

import type { Bus } from '../bus/types.ts'
import { SparError } from '../errors.ts'
import { createDocument, getDocument, isFinal, type RunDocument } from './document.ts'
import { anyArena, leadId } from './keys.ts'
import type { Retry } from './retry.ts'

/** Somebody leads it, or will: the message stays until the run has ended. */
export const isLed = async (bus: Bus, run: string): Promise<boolean> => (await bus.queue.subjects(run)).some(({ kind }) => kind === 'run')

/** For somebody to lead it. */
export const askToLead = async (bus: Bus, run: string): Promise<'added' | 'present'> => await bus.queue.add({ kind: 'run', arena: anyArena, run, id: leadId }, Buffer.from('{}'))

/** Also ends what an earlier call with the same document left half done. Throws RUN_EXISTS, DOCUMENT_TOO_LARGE. */
export async function submitRun (bus: Bus, retry: Retry, document: RunDocument): Promise<void> {
  const { name } = document
  try {
    await retry(() => createDocument(bus, document))
  } catch (error) {
    if (!(error instanceof SparError) || error.code !== 'RUN_EXISTS') throw error
    const stands = await retry(() => getDocument(bus, name))
    if (isFinal(stands.state) || asked(stands) !== asked(document) || await retry(() => isLed(bus, name))) throw error
  }
  await retry(() => askToLead(bus, name))
}

/** What a document asks for, whatever became of it since. */
const asked = ({ options, arenas, inFlight, trainer }: RunDocument): string => JSON.stringify({ options, arenas: arenas.map(({ target, setup, test }) => ({ target, setup, test })), inFlight, trainer })
