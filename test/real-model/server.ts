// The small model behind OpenAI's chat completions: text alone, in one piece. Like most small servers it takes `tools` and
// makes nothing of them, gives no token ids, and refuses a conversation that does not fit in llama.cpp's words.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TooLong, type LocalModel, type Message } from './model.ts'

export interface ModelServer { readonly url: string; close (): Promise<void> }

interface ChatRequest { messages: { role: string; content: string | null }[]; max_tokens?: number; temperature?: number; top_p?: number; seed?: number }

export async function serveModel (model: LocalModel, name: string): Promise<ModelServer> {
  const chat = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const body = JSON.parse(await textOf(request)) as ChatRequest
    const messages: Message[] = body.messages.map(({ role, content }) => ({ role, content: content ?? '' }))
    try {
      const { text, finishReason, promptTokens, completionTokens, cachedTokens } = await model.complete(messages,
        { maxTokens: body.max_tokens ?? 512, temperature: body.temperature ?? 1, topP: body.top_p ?? 1, seed: body.seed ?? 0 }, gone.signal)
      answer(response, 200, {
        object: 'chat.completion', model: name,
        choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: finishReason }],
        usage: { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens, prompt_tokens_details: { cached_tokens: cachedTokens } }
      })
    } catch (error) {
      const { message } = error as Error
      answer(response, error instanceof TooLong ? 400 : 500, { error: { message, type: error instanceof TooLong ? 'exceed_context_size_error' : 'server_error' } })
    }
  }

  const server = createServer((request, response) => {
    if (request.url === '/health') answer(response, 200, { status: 'ok' })
    else if (request.url === '/v1/models') answer(response, 200, { object: 'list', data: [{ id: name, object: 'model', owned_by: 'llama.cpp' }] })
    else if (request.url === '/v1/chat/completions' && request.method === 'POST') chat(request, response).catch((error: Error) => answer(response, 400, { error: { message: error.message } }))
    else answer(response, 404, { error: { message: `no route ${request.url}` } })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close () {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

async function textOf (request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function answer (response: ServerResponse, status: number, body: object): void {
  if (response.writableEnded || response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
