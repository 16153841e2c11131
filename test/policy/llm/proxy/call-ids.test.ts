// Ids of tool calls: what an agent gets is unique and safe, and the server gets its own back, whatever ids it makes.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { createCallIds } from '../../../../src/policy/llm/proxy/call-ids.ts'

t.test('ids that are good stay; others, and those that were there, are replaced', async t => {
  const ids = createCallIds()
  const out = (...given: string[]): string[] => ids.outward(given.map(id => ({ id, name: 'bash', arguments: '' })), 3).map(call => call.id)
  t.strictSame(out('chatcmpl-tool-1', 'functions.bash:0'), ['chatcmpl-tool-1', 'call_3_1'])
  t.strictSame(out('chatcmpl-tool-1', 'call_3_1', ''), ['call_3_0', 'call_3_1_1', 'call_3_2'])
})

t.test('there and back', async () => {
  const id = fc.oneof(fc.constantFrom('call_0_0', 'call_0_1', 'call_1_0', 'call-0', '', 'functions.bash:0', 'x'.repeat(65)), fc.string())
  fc.assert(fc.property(fc.array(fc.array(id, { maxLength: 4 }), { maxLength: 6 }), answers => {
    const ids = createCallIds()
    const calls = answers.map(given => given.map(id => ({ id, name: 'bash', arguments: '' })))
    const got = calls.map((answer, number) => ids.outward(answer, number))
    assert.equal(new Set(got.flat().map(call => call.id)).size, got.flat().length)
    assert.ok(got.flat().every(call => /^[\w-]{1,64}$/.test(call.id)))
    assert.deepEqual(ids.inward(got.map(toolCalls => ({ role: 'assistant', content: '', toolCalls }))).map(message => message.role === 'assistant' && message.toolCalls), calls)
    assert.deepEqual(ids.inward(got.flat().map(call => ({ role: 'tool', content: '', toolCallId: call.id }))).map(message => message.role === 'tool' && message.toolCallId), calls.flat().map(call => call.id))
  }))
})
