// Which conversation a request belongs to, and where its tokens stand: a table of what agents do to their history, and random
// agents that hold many conversations at a time, held against what the server saw.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { createConversations, type Base, type Conversations } from '../../../../src/policy/llm/proxy/conversations.ts'
import type { Answer, ChatMessage } from '../../../../src/policy/llm/types.ts'
import { encode, endToken, render } from '../../../helpers/fake-server/model.ts'

const system: ChatMessage = { role: 'system', content: 'Be short.' }
const user = (content: string): ChatMessage => ({ role: 'user', content })
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content, toolCalls: [] })

/** What a server makes of a conversation and a reply; `prompt` where it was given tokens of its own. */
function answerOf (messages: readonly ChatMessage[], text: string, prompt: number[] = render([...messages])): Answer {
  const completionTokenIds = Int32Array.from([...encode(text), endToken])
  return {
    text, toolCalls: [], finishReason: 'stop', promptTokenIds: Int32Array.from(prompt), completionTokenIds, completionLogprobs: Float32Array.from(completionTokenIds, () => -0.5), promptTokens: null, completionTokens: null,
    cachedTokens: null, policyVersion: null, endpoint: 'e', model: 'm', logprobsMode: null, untrainable: null, startedAt: 0, endedAt: 0, retries: 0
  }
}

function openSome (conversationsMax = 64): { kept: Conversations; ask (messages: ChatMessage[], reply: string): Base; answer (base: Base, reply: string): void } {
  const kept = createConversations(conversationsMax)
  let number = 0
  const answer = (base: Base, reply: string): void => { kept.settle(base, { number, callId: String(number++), version: 'v' }, answerOf(base.messages, reply)) }
  return {
    kept,
    answer,
    ask (messages, reply) {
      const base = kept.find(messages)
      answer(base, reply)
      return base
    }
  }
}

const shape = ({ kept }: { kept: Conversations }): [string[], string | null][] => kept.read().segments.map(segment => [segment.call_ids, segment.break_reason])

t.test('what agents do to their history', async t => {
  const opening = [system, user('one')]

  t.test('a conversation that goes on is one segment', async t => {
    const some = openSome()
    some.ask(opening, 'a')
    const base = some.ask([...opening, assistant('a'), user('two')], 'b')
    t.match(base, { messagesSoFar: 3, call: 0 })
    t.strictSame([...base.tokensSoFar!], [...render(opening), ...encode('a'), endToken])
    t.strictSame(shape(some), [[['0', '1'], null]])
  })

  t.test('agents beside each other are told apart, turn by turn', async t => {
    const some = openSome()
    const other = [system, user('other')]
    some.ask(opening, 'a')
    some.ask(other, 'a')
    some.ask([...opening, assistant('a'), user('two')], 'b')
    some.ask([...other, assistant('a'), user('two')], 'b')
    t.strictSame(shape(some), [[['0', '2'], 'conversation'], [['1', '3'], null]])
    t.strictSame([0, 1, 2, 3].map(number => some.kept.read().places.get(number)), [0, 1, 0, 1])
  })

  t.test('two that began alike and were answered alike go on apart', async t => {
    const some = openSome()
    some.ask(opening, 'a')
    some.ask(opening, 'a')
    const one = some.ask([...opening, assistant('a'), user('left')], 'b')
    const two = some.ask([...opening, assistant('a'), user('right')], 'c')
    t.strictSame([one.call, two.call].sort(), [0, 1])
    t.equal(some.kept.count, 2)
  })

  const forks: [string, ChatMessage[], string, number][] = [
    ['asked again', [...opening, assistant('a'), user('two')], 'shortened', 3],
    ['a turn taken back', [...opening, assistant('a'), user('else')], 'rewritten', 3],
    ['what the model said was changed', [...opening, assistant('A'), user('two')], 'retokenised', 0],
    ['a summary in place of the middle', [...opening, user('What was done so far: a, b.'), user('three')], 'rewritten', 0],
    ['the system was changed', [{ role: 'system', content: 'Be long.' }, user('one')], 'conversation', 0]
  ]
  for (const [name, messages, reason, soFar] of forks) {
    t.test(`${name} is a fork: ${reason}`, async t => {
      const some = openSome()
      some.ask(opening, 'a')
      some.ask([...opening, assistant('a'), user('two')], 'b')
      const base = some.ask(messages, 'c')
      t.equal(base.messagesSoFar, soFar, 'it goes on from the last answer that it holds')
      t.strictSame(shape(some), [[['0', '1'], reason], [['2'], null]])
      const { segments } = some.kept.read()
      t.equal(segments[1]!.mask.reduce((sum, bit) => sum + bit, 0), 2, 'only what was drawn in it counts')
      some.ask([...opening, assistant('a'), user('two'), assistant('b'), user('three')], 'd')
      t.strictSame(shape(some)[0], [['0', '1', '3'], reason], 'and the other goes on')
    })
  }

  t.test('two answers to one turn, asked at the same time', async t => {
    const some = openSome()
    some.ask(opening, 'a')
    const next = [...opening, assistant('a'), user('two')]
    const [one, two] = [some.kept.find(next), some.kept.find(next)]
    some.answer(one, 'b')
    some.answer(two, 'c')
    t.strictSame(shape(some), [[['0', '1'], 'shortened'], [['2'], null]])
    t.equal(some.ask([...next, assistant('c'), user('three')], 'd').call, 2)
    t.equal(some.ask([...next, assistant('b'), user('three')], 'd').call, 1)
  })

  t.test('messages cut in another way, of the same tokens, go on', async t => {
    const some = openSome()
    const { kept } = some
    some.ask(opening, 'a')
    const changed = [system, user('One'), assistant('a'), user('two')]
    const base = kept.find(changed)
    kept.settle(base, { number: 9, callId: '9', version: 'v' }, answerOf(changed, 'b', render([...opening, assistant('a'), user('two')])))
    t.strictSame(shape(some), [[['0', '9'], null]])
  })

  t.test('what a client does to white space and to JSON is no change; anything else is', async t => {
    const call = { id: 'x', name: 'bash', arguments: '{ "command": "ls",\n"n": 1.0 }' }
    const given = (change: object, content = ' I look. '): ChatMessage[] => [...opening, { role: 'assistant', content, toolCalls: [{ ...call, ...change }] }, { role: 'tool', toolCallId: 'x', content: 'a.js' }]
    const goesOn = (messages: ChatMessage[], spelled = call.arguments): boolean => {
      const kept = createConversations(64)
      kept.settle(kept.find(opening), { number: 0, callId: '0', version: 'v' }, { ...answerOf(opening, ' I look. '), toolCalls: [{ ...call, arguments: spelled }] })
      const base = kept.find(messages)
      if (base.call === 0) assert.deepEqual(base.messages[2], { role: 'assistant', content: ' I look. ', toolCalls: [{ ...call, arguments: spelled }] }, 'as it was drawn')
      return base.call === 0
    }
    t.ok(goesOn(given({})))
    t.ok(goesOn(given({ arguments: '{"n":1,"command":"ls"}' }, 'I look.')))
    t.ok(goesOn(given({ arguments: '{}' }), ''))
    t.ok(goesOn(given({ arguments: '{"malformed_arguments":"{\\"a"}' }), '{"a'))
    for (const change of [{ arguments: '{"n":2,"command":"ls"}' }, { name: 'edit' }, { id: 'y' }]) t.notOk(goesOn(given(change)), JSON.stringify(change))
    t.notOk(goesOn(given({}, 'I looked.')))
    t.notOk(goesOn([...opening, assistant(' I look. '), user('a.js')]), 'a call that is gone')
  })

  t.test('the conversation that was quiet for longest is forgotten; its tokens are not', async t => {
    const some = openSome(2)
    for (const name of ['one', 'two', 'three']) some.ask([system, user(name)], 'a')
    t.equal(some.kept.find([system, user('one'), assistant('a'), user('more')]).call, null)
    t.equal(some.kept.find([system, user('two'), assistant('a'), user('more')]).call, 1)
    t.strictSame(shape(some).map(([ids]) => ids), [['0'], ['1'], ['2']])
  })

  t.test('without tokens there are conversations and no segments', async t => {
    const { kept } = openSome()
    const blind = { ...answerOf(opening, 'a'), promptTokenIds: null, completionTokenIds: null, completionLogprobs: null }
    kept.settle(kept.find(opening), { number: 0, callId: '0', version: 'v' }, blind)
    t.match(kept.find([...opening, assistant('a'), user('two')]), { call: 0, messagesSoFar: 0, tokensSoFar: null })
    t.strictSame(kept.read(), { segments: [], places: new Map() })
  })
})

/** `from`: which of the states so far is gone on from; `drop`: of its messages, from the end. */
const step = fc.record({ from: fc.nat(), drop: fc.constantFrom(0, 0, 0, 0, 1, 2), said: fc.constantFrom('x', 'y', ''), reply: fc.constantFrom('a', 'b', ''), wait: fc.boolean(), retokenise: fc.integer({ min: 0, max: 9 }) })

t.test('whatever agents do at the same time, segments are exactly what the server saw, and nothing is drawn twice', async () => {
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 4 }), (steps, conversationsMax) => {
    const kept = createConversations(conversationsMax)
    const states: ChatMessage[][] = [[system]]
    const calls: Answer[] = []
    let waiting: (() => void)[] = []
    for (const { from, drop, said, reply, wait, retokenise } of steps) {
      const state = states[from % states.length]!
      const messages = [...state.slice(0, Math.max(1, state.length - drop)), user(said)]
      const base = kept.find(messages)
      assert.deepEqual(base.messages, messages)
      const soFar = base.tokensSoFar
      if (soFar !== null) assert.ok(calls.some(({ promptTokenIds: prompt, completionTokenIds: completion }) => String([...prompt!, ...completion!]) === String([...soFar])), 'the tokens so far are a prompt and its completion')
      const settle = (): void => {
        const answer = answerOf(messages, reply, render(messages).map(token => retokenise === 0 && token === 97 ? 98 : token))
        kept.settle(base, { number: calls.length, callId: String(calls.length), version: 'v' }, answer)
        calls.push(answer)
        states.push([...messages, assistant(reply)])
      }
      if (wait) waiting.push(settle)
      else settle()
      if (!wait && from % 3 === 0) {
        waiting.forEach(settle => settle())
        waiting = []
      }
    }
    waiting.forEach(settle => settle())
    const { segments, places } = kept.read()
    assert.equal(places.size, calls.length)
    calls.forEach(({ promptTokenIds: prompt, completionTokenIds: completion }, number) => {
      const segment = segments[places.get(number)!]!
      const end = prompt!.length + completion!.length
      assert.deepEqual([...segment.token_ids.subarray(0, end)], [...prompt!, ...completion!])
      assert.deepEqual([...segment.mask.subarray(prompt!.length, end)], [...completion!].map(() => 1))
      assert.ok(segment.call_ids.includes(String(number)))
    })
    const drawn = calls.reduce((sum, { completionTokenIds: completion }) => sum + completion!.length, 0)
    assert.equal(segments.reduce((sum, { mask }) => sum + mask.reduce((bits, bit) => bits + bit, 0), 0), drawn)
    segments.forEach((segment, index) => assert.equal(segment.break_reason === null, index === segments.length - 1, 'every segment but the last says why it was not gone on from'))
  }), { numRuns: 300 })
})
