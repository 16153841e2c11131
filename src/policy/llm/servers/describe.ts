// What an endpoint says of itself at `GET /v1/models`: the models that it serves; vLLM and SGLang name themselves as owner of
// the model and give its context, others say neither. Asked once, when it is first needed.

import { fault, ofStatus, quote } from './faults.ts'
import type { Http } from './http.ts'
import type { ServerLimits } from './limits.ts'
import type { Description } from './protocol.ts'
import { count, type Fields } from './values.ts'

const unknown: Description = { flavour: 'generic', contextTokensMax: null, others: null }

export function createDescriber (http: Http, model: string, limits: ServerLimits): (signal: AbortSignal) => Promise<Description> {
  let known: Description | null = null
  return async signal => known ??= await look(http, model, limits, signal)
}

async function look (http: Http, model: string, limits: ServerLimits, signal: AbortSignal): Promise<Description> {
  const { status, text, retryAfterMs } = await http.send('GET', '/v1/models', null, limits.answerBytesMax, signal)
  // Not every server has the route; what is wrong with the key or the server shows here as in a turn.
  if ([400, 404, 405, 501].includes(status)) return unknown
  if (status !== 200) throw ofStatus(`ask ${http.address}/v1/models`, status, quote(text), retryAfterMs)
  return read(http.address, text, model)
}

function read (address: string, text: string, model: string): Description {
  let models: Fields[]
  try {
    models = ((JSON.parse(text) as Fields)['data'] as Fields[]).filter(entry => typeof entry === 'object' && entry !== null)
  } catch {
    throw fault('SERVER_PROTOCOL', `ask ${address}/v1/models`, 'its answer is no list of models')
  }
  const named = models.find(entry => entry['id'] === model || entry['id'] === `${model}:latest`)
  const card = named ?? models[0]
  if (card === undefined) return unknown
  const owner = card['owned_by']
  return {
    flavour: owner === 'vllm' || owner === 'sglang' ? owner : 'generic',
    contextTokensMax: count(card['max_model_len']),
    others: named !== undefined || takesAnyName(models) ? null : models.map(entry => entry['id']).filter(id => typeof id === 'string')
  }
}

/** llama.cpp serves one model, calls it by its file, and takes every name for it. */
const takesAnyName = (models: readonly Fields[]): boolean => models.every(entry => entry['owned_by'] === 'llamacpp')
