// Merging calls into segments, held against random conversations with a server that keeps what it saw.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { createSegments } from '../../../src/policy/llm/segments.ts'

interface Turn { given: number[]; drawn: number[]; version: string; disturb: 'no' | 'retokenise' | 'rewrite' | 'shorten' }

const tokens = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 6 })
const turn: fc.Arbitrary<Turn> = fc.record({
  given: tokens, drawn: tokens, version: fc.constantFrom('1', '2'), disturb: fc.constantFrom('no', 'no', 'no', 'retokenise', 'rewrite', 'shorten')
})

/** What a server would see: each prompt is the conversation so far, now and then changed where it should not be. */
function converse (turns: Turn[]): { callId: string; prompt: Int32Array; completion: Int32Array; logprobs: Float32Array; version: string }[] {
  let conversation: { token: number; drawn: boolean }[] = []
  return turns.map(({ given, drawn, version, disturb }, index) => {
    const change = (wasDrawn: boolean): void => {
      const at = conversation.findIndex(token => token.drawn === wasDrawn)
      if (at !== -1) conversation = conversation.map((token, place) => place === at ? { ...token, token: token.token + 100 } : token)
    }
    if (disturb === 'retokenise') change(true)
    if (disturb === 'rewrite') change(false)
    if (disturb === 'shorten') conversation = conversation.slice(0, -1)
    conversation = [...conversation, ...(disturb === 'shorten' ? [] : given).map(token => ({ token, drawn: false }))]
    const prompt = conversation.map(({ token }) => token)
    conversation = [...conversation, ...drawn.map(token => ({ token, drawn: true }))]
    return { callId: String(index), prompt: Int32Array.from(prompt), completion: Int32Array.from(drawn), logprobs: Float32Array.from(drawn, (_, place) => -(index + 1) - place / 8), version }
  })
}

t.test('joined segments are exactly what the server saw and drew, each token once', async () => {
  fc.assert(fc.property(fc.array(turn, { minLength: 1, maxLength: 8 }), turns => {
    const calls = converse(turns)
    const merged = createSegments()
    const places = calls.map(call => merged.add(call))
    const segments = merged.read()
    calls.forEach((call, index) => {
      const segment = segments[places[index]!]!
      const end = call.prompt.length + call.completion.length
      assert.deepEqual([...segment.token_ids.subarray(0, end)], [...call.prompt, ...call.completion])
      assert.deepEqual([...segment.mask.subarray(call.prompt.length, end)], [...call.completion].map(() => 1))
      assert.deepEqual([...segment.logprobs!.subarray(call.prompt.length, end)], [...call.logprobs])
      assert.ok(segment.call_ids.includes(call.callId))
    })
    for (const segment of segments) {
      const drawn = calls.filter(call => segment.call_ids.includes(call.callId)).reduce((sum, call) => sum + call.completion.length, 0)
      assert.equal(segment.mask.reduce((sum, bit) => sum + bit, 0), drawn, 'only what was drawn in it counts')
      assert.equal(segment.policy_versions.reduce((sum, run) => sum + run.tokens, 0), segment.token_ids.length)
      assert.equal(segment.token_ids.length, segment.mask.length)
    }
    assert.equal(segments.flatMap(segment => segment.call_ids).length, calls.length)
  }), { numRuns: 200 })
})

t.test('a fork names its cause', async t => {
  const given = Int32Array.of(1, 2, 3)
  const first = { callId: 'a', prompt: given, completion: Int32Array.of(4, 5), logprobs: Float32Array.of(-1, -2), version: 'v' }
  const then = (...prompt: number[]): (string | null)[] => {
    const segments = createSegments()
    segments.add(first)
    segments.add({ callId: 'b', prompt: Int32Array.from(prompt), completion: Int32Array.of(9), logprobs: Float32Array.of(-1), version: 'w' })
    return segments.read().map(segment => segment.break_reason)
  }
  t.strictSame(then(1, 2, 3, 4, 5, 6), [null])
  t.strictSame(then(1, 2, 3, 4, 7, 6), ['retokenised', null])
  t.strictSame(then(1, 8, 3, 4, 5, 6), ['rewritten', null])
  t.strictSame(then(1, 2, 3, 4), ['shortened', null])
})

t.test('the tokens so far are those of the segment that goes on', async t => {
  const segments = createSegments()
  t.equal(segments.last, null)
  segments.add({ callId: 'a', prompt: new Int32Array(5000).fill(1), completion: Int32Array.of(2), logprobs: null, version: 'v' })
  t.equal(segments.last!.length, 5001)
  t.equal(segments.read()[0]!.logprobs, null, 'where some logprobs are not known, none are given')
})
