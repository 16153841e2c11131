// A small model on this machine's processor, by node-llama-cpp. Conversations are written in ChatML, token by token: only the
// template's own marks become special tokens, whatever a message holds. One completion at a time; what the last one left in
// the cache is gone on from where the next begins alike.

import { pathToFileURL } from 'node:url'
import type { Installed } from './install.ts'

export interface Message { role: string; content: string }
export interface Sampling { maxTokens: number; temperature: number; topP: number; seed: number }
export interface Completion { text: string; finishReason: 'stop' | 'length'; promptTokens: number; completionTokens: number; cachedTokens: number }

/** A conversation that leaves no room for a reply. */
export class TooLong extends Error {}

export interface LocalModel {
  /** At most `maxTokens`, and no more than the context holds. Ends early with what it has when the signal is aborted. */
  complete (messages: readonly Message[], sampling: Sampling, signal: AbortSignal): Promise<Completion>
  close (): Promise<void>
}

type Token = number
/** As much of the runtime as is used here. */
interface Runtime { getLlama (options: object): Promise<{ loadModel (options: object): Promise<Model>; dispose (): Promise<void> }> }
interface Model {
  tokenize (text: string, specialTokens: boolean): Token[]
  detokenize (tokens: readonly Token[]): string
  createContext (options: object): Promise<{ getSequence (): Sequence }>
}
interface Sequence {
  readonly contextTokens: readonly Token[]
  eraseContextTokenRanges (ranges: { start: number; end: number }[]): Promise<void>
  evaluate (tokens: readonly Token[], options: object): AsyncGenerator<Token>
}

export async function loadModel ({ entry, weights }: Installed, contextTokens: number): Promise<LocalModel> {
  const { getLlama } = await import(pathToFileURL(entry).href) as Runtime
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, logLevel: 'error' })
  const model = await llama.loadModel({ modelPath: weights, gpuLayers: 0 })
  // One thread: several wait for each other by spinning, and on a busy machine a reply takes minutes.
  const sequence = (await model.createContext({ contextSize: contextTokens, sequences: 1, threads: 1 })).getSequence()
  let last: Promise<unknown> = Promise.resolve()

  const complete = async (messages: readonly Message[], sampling: Sampling, signal: AbortSignal): Promise<Completion> => {
    const prompt = promptOf(model, messages)
    const room = Math.min(sampling.maxTokens, contextTokens - prompt.length)
    if (room < 1) throw new TooLong(`the request (${prompt.length} tokens) exceeds the available context size (${contextTokens} tokens)`)
    const cachedTokens = await keepCommon(sequence, prompt)
    const drawn: Token[] = []
    let finishReason: Completion['finishReason'] = 'stop'
    if (!signal.aborted) {
      // It ends by itself where the model does; the token that says so is kept to itself.
      for await (const token of sequence.evaluate(prompt.slice(cachedTokens), { temperature: sampling.temperature, topP: sampling.topP, seed: sampling.seed })) {
        drawn.push(token)
        if (drawn.length >= room) finishReason = 'length'
        if (finishReason === 'length' || signal.aborted) break
      }
    }
    return { text: model.detokenize(drawn), finishReason, promptTokens: prompt.length, completionTokens: drawn.length, cachedTokens }
  }

  return {
    complete (messages, sampling, signal) {
      const next = last.then(() => complete(messages, sampling, signal))
      last = next.catch(() => {})
      return next
    },
    async close () {
      await last
      await llama.dispose()
    }
  }
}

function promptOf (model: Model, messages: readonly Message[]): Token[] {
  const [start, end] = ['<|im_start|>', '<|im_end|>'].map(mark => model.tokenize(mark, true))
  const plain = (text: string): Token[] => model.tokenize(text, false)
  return [...messages.flatMap(({ role, content }) => [...start!, ...plain(`${role}\n${content}`), ...end!, ...plain('\n')]), ...start!, ...plain('assistant\n')]
}

/** Leaves in the cache what the prompt begins with, all but its last token at most; returns how many tokens that are. */
async function keepCommon (sequence: Sequence, prompt: readonly Token[]): Promise<number> {
  const held = sequence.contextTokens
  let common = 0
  while (common < Math.min(held.length, prompt.length - 1) && held[common] === prompt[common]) common++
  if (common < held.length) await sequence.eraseContextTokenRanges([{ start: common, end: held.length }])
  return common
}
