// One suite for every protocol, in every form that it has, against a server that speaks it: the same conversation has the same
// text and tokens, every way of failing has its code, and a turn that is cancelled is over at once.

import { once } from 'node:events'
import t from 'tap'
import { sglangTooLong, status, vllmTooLong, type Fault } from '../../../helpers/fake-server/faults.ts'
import { encode, endToken, logprobOf, render } from '../../../helpers/fake-server/model.ts'
import { askOf, codeOf, follow, hello, never, openClient, openFake, ways } from '../../../helpers/servers-fixture.ts'

const reply = (conversation: readonly { content: string }[]) => ({ content: `Answer ${conversation.length}: ${conversation.at(-1)!.content.length} – ß🦔` })

for (const way of ways) {
  t.test(way.name, async t => {
    const open = async (t: Parameters<typeof openFake>[0], options: Parameters<typeof openFake>[1] = {}) => await openFake(t, { ...way.fake, ...options })

    t.test('a conversation has the text and the tokens that the server saw', async t => {
      const fake = await open(t, { reply })
      const server = openClient(t, [fake.url], way.options)
      const first = await server.ask(askOf(), never)
      t.equal(first.text, reply(hello).content)
      t.equal(first.finishReason, 'stop')
      t.match(first, { endpoint: fake.url, model: 'fake', retries: 0, promptTokens: render(hello).length })
      const ask = follow(askOf(), first, 'And 8?')
      const second = await server.ask(ask, never)
      t.equal(second.text, reply(ask.messages).content)
      if (!way.givesTokens) {
        t.match([first, second], [{ promptTokenIds: null, completionTokenIds: null, completionLogprobs: null, untrainable: /token ids/ }, { untrainable: /token ids/ }])
        return
      }
      t.equal(first.untrainable, null)
      t.same([...first.promptTokenIds!], render(hello))
      t.same([...first.completionTokenIds!], [...encode(first.text), endToken])
      const sampled = [...second.completionTokenIds!]
      t.same([...second.promptTokenIds!], render(ask.messages), 'the next prompt is what the template makes of the conversation')
      t.same([...second.promptTokenIds!].slice(0, ask.tokensSoFar!.length), [...ask.tokensSoFar!], 'and starts with the tokens so far')
      t.same([...second.completionLogprobs!], sampled.map((id, index) => logprobOf(id, second.promptTokenIds!.length + index)))
    })

    t.test('a completion that is cut by its length has no end in it, and the next prompt closes it', async t => {
      const fake = await open(t, { reply })
      const server = openClient(t, [fake.url], way.options)
      const short = askOf({ sampling: { ...askOf().sampling, maxTokens: 6 } })
      const first = await server.ask(short, never)
      t.match(first, { text: 'Answer', finishReason: 'length' })
      const ask = follow(short, first, 'Go on.')
      const second = await server.ask(ask, never)
      if (way.givesTokens) t.same([...second.promptTokenIds!], render(ask.messages))
    })

    // What goes wrong, what it is called, and how many times the server was asked.
    const table: [string, Fault, string, number][] = [
      ['401', status(401), 'SERVER_REFUSED', 1],
      ['403', status(403), 'SERVER_REFUSED', 1],
      ['404', status(404), 'SERVER_REFUSED', 1],
      ['a redirect', status(302, '', { location: 'http://127.0.0.1:1/' }), 'SERVER_REFUSED', 1],
      ['400 that says nothing of the context', status(400, { error: { message: 'temperature is negative' } }), 'SERVER_REFUSED', 1],
      ['429', status(429), 'SERVER_BUSY', 3],
      ['429 with Retry-After', status(429, '', { 'retry-after': '3600' }), 'SERVER_BUSY', 3],
      ['500', status(500), 'SERVER_ERROR', 3],
      ['503', status(503, 'no upstream'), 'SERVER_ERROR', 3],
      ['a connection that breaks before the answer', { kind: 'reset' }, 'SERVER_ERROR', 3],
      ['a connection that breaks in the answer', { kind: 'cut' }, 'SERVER_ERROR', 3],
      ['an abort', { kind: 'abort' }, 'SERVER_ABORTED', 3],
      ['half a JSON text', { kind: 'truncated' }, way.options.stream === true ? 'SERVER_ERROR' : 'SERVER_PROTOCOL', way.options.stream === true ? 3 : 1],
      ['an endless answer', { kind: 'huge', bytes: 300_000 }, 'SERVER_PROTOCOL', 1],
      ['a finish reason that nobody knows', { kind: 'finish', reason: 'tired' }, 'SERVER_PROTOCOL', 1],
      ['too long, in the words of vLLM', vllmTooLong(4096, 5000, 200), 'CONTEXT_EXHAUSTED', 1],
      ['too long, in the words of SGLang', sglangTooLong(4096, 5000), 'CONTEXT_EXHAUSTED', 1],
      ['too long, by the code of OpenAI', status(400, '{"error":{"message":"context_length_exceeded","code":"context_length_exceeded"}}'), 'CONTEXT_EXHAUSTED', 1],
      ...way.givesTokens ? [['logprobs for fewer tokens', { kind: 'short logprobs' }, 'SERVER_PROTOCOL', 1] satisfies [string, Fault, string, number]] : []
    ]
    for (const [what, fault, code, turns] of table) {
      t.test(`${what} is ${code}, after ${turns} ${turns === 1 ? 'try' : 'tries'}`, async t => {
        const fake = await open(t)
        fake.failAll(fault)
        const server = openClient(t, [fake.url], { ...way.options, limits: { answerBytesMax: 200_000 } })
        const error = await codeOf(server.ask(askOf(), never))
        t.equal(error.code, code, error.message)
        t.equal(error.retryable, !['SERVER_REFUSED', 'CONTEXT_EXHAUSTED'].includes(code))
        t.equal(fake.turns.length, turns)
        t.match(error.message, /^Cannot /)
      })
    }

    t.test('nobody listening is SERVER_DOWN', async t => {
      const fake = await open(t)
      const server = openClient(t, [fake.url], way.options)
      await fake.down()
      t.match(await codeOf(server.ask(askOf(), never)), { code: 'SERVER_DOWN', retryable: true, data: { tries: 3 } })
    })

    t.test('a server that never answers is SERVER_TIMEOUT, asked once', async t => {
      const fake = await open(t)
      fake.failAll({ kind: 'hang' })
      const server = openClient(t, [fake.url], { ...way.options, limits: { turnMsMax: 300 } })
      t.match(await codeOf(server.ask(askOf(), never)), { code: 'SERVER_TIMEOUT', retryable: true })
      t.equal(fake.turns.length, 1)
    })

    t.test('what is safe is tried again, and the answer says how many times', async t => {
      const fake = await open(t)
      fake.fail({ kind: 'abort' }, status(503))
      const server = openClient(t, [fake.url], way.options)
      t.match(await server.ask(askOf(), never), { text: 'yes', retries: 2 })
    })

    t.test('an answer that drips in is an answer', async t => {
      const fake = await open(t)
      fake.fail({ kind: 'drip', bytes: 40, everyMs: 1 })
      t.match(await openClient(t, [fake.url], way.options).ask(askOf(), never), { text: 'yes', retries: 0 })
    })

    t.test('a turn that is cancelled is over at once, and the server sees its client go', async t => {
      const fake = await open(t)
      fake.failAll({ kind: 'hang' })
      const server = openClient(t, [fake.url], way.options)
      const cancel = new AbortController()
      const asked = codeOf(server.ask(askOf(), cancel.signal))
      await once(fake.events, 'turn')
      const gone = once(fake.events, 'gone')
      cancel.abort()
      t.match(await asked, { code: 'ABORTED' })
      await gone
      t.match(await codeOf(server.ask(askOf(), cancel.signal)), { code: 'ABORTED' })
      t.equal(fake.turns.length, 1, 'and a turn that is cancelled before it begins is not sent')
    })

    t.test('what a server holds back makes the tokens useless for training, and says why', async t => {
      if (!way.givesTokens) return
      const fake = await open(t)
      const server = openClient(t, [fake.url], way.options)
      fake.fail({ kind: 'null tokens' })
      t.match(await server.ask(askOf(), never), { text: 'yes', completionTokenIds: null, completionLogprobs: null, untrainable: 'the server gave no token ids of the completion' })
      if (way.options.protocol === 'sglang') return
      fake.fail({ kind: 'no logprobs' })
      t.match(await server.ask(askOf(), never), { text: 'yes', completionLogprobs: null, untrainable: 'the server gave no logprobs' })
    })

    t.test('a prompt that fits gets the room that is left; one that does not is CONTEXT_EXHAUSTED', async t => {
      const room = render(hello).length + 2
      const fake = await open(t, { contextTokensMax: room })
      const server = openClient(t, [fake.url], way.options)
      t.match(await server.ask(askOf(), never), { text: 'ye', finishReason: 'length' })
      t.equal((await codeOf(server.ask(askOf({ messages: [...hello, { role: 'user', content: 'more' }] }), never))).code, 'CONTEXT_EXHAUSTED')
      t.same(await server.check(), { contextTokensMax: way.fake.kind === 'generic' ? null : room, down: [] })
    })

    t.test('sampling is asked for as it is recorded', async t => {
      const fake = await open(t)
      const server = openClient(t, [fake.url], way.options)
      await server.ask(askOf({ sampling: { temperature: 0.7, topP: 0.9, topK: 20, seed: 3, maxTokens: 50 } }), never)
      const body = fake.turns[0]!.body
      const sampling = (body['sampling_params'] ?? body) as Record<string, unknown>
      t.match(sampling, { temperature: 0.7, top_p: 0.9, top_k: 20 })
      t.equal(sampling['seed'] ?? sampling['sampling_seed'], 3)
      t.equal(sampling['max_tokens'] ?? sampling['max_new_tokens'], 50)
      if (!way.givesTokens) return
      await server.ask(askOf(), never)
      const off = fake.turns[1]!.body
      t.match(off['sampling_params'] ?? off, { top_k: -1, min_p: 0, repetition_penalty: 1 }, 'what is off is said to be off')
    })
  })
}
