// Events come in any pieces. A property: however the bytes are cut, and whichever line ending is used, the same data comes out.

import fc from 'fast-check'
import t from 'tap'
import { createEventReader } from '../../../../src/policy/llm/servers/sse.ts'
import { startFakeServer } from '../../../helpers/fake-server.ts'
import { askOf, never, openClient } from '../../../helpers/servers-fixture.ts'

function read (pieces: readonly Uint8Array[]): string[] {
  const found: string[] = []
  const reader = createEventReader(data => found.push(data))
  for (const piece of pieces) reader.push(piece)
  return found
}

/** Cuts bytes at any places. */
function cut (bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map(place => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [...at, bytes.length].map((end, index) => bytes.subarray(at[index - 1] ?? 0, end))
}

t.test('a table of streams', async t => {
  const table: [string, string, string[]][] = [
    ['one event', 'data: a\n\n', ['a']],
    ['no space behind the colon, and only one is taken off', 'data:a\n\ndata:  b\n\n', ['a', ' b']],
    ['data of several lines', 'data: a\ndata: b\ndata\n\n', ['a\nb\n']],
    ['comments and other fields', ': ping\n\nevent: x\nid: 1\nretry: 5\ndata: a\n\n', ['a']],
    ['CR, LF and both', 'data: a\r\rdata: b\r\n\r\ndata: c\n\n', ['a', 'b', 'c']],
    ['a byte order mark', '\uFEFFdata: a\n\n', ['a']],
    ['an event that never ends is none', 'data: a\n\ndata: b\n', ['a']]
  ]
  for (const [name, stream, data] of table) t.same(read([Buffer.from(stream)]), data, name)
})

t.test('however the bytes are cut, the same data comes out', async () => {
  const line = fc.string({ unit: 'grapheme' }).filter(text => !/[\r\n]/.test(text))
  fc.assert(fc.property(
    fc.array(fc.array(line, { minLength: 1, maxLength: 3 }), { maxLength: 5 }), fc.constantFrom('\n', '\r\n', '\r'), fc.array(fc.nat(), { maxLength: 20 }),
    (events, ending, places) => {
      const bytes = Buffer.from(events.map(lines => lines.map(text => `data: ${text}${ending}`).join('') + ending).join(''))
      t.same(read(cut(bytes, places)), events.map(lines => lines.join('\n')))
    }
  ), { numRuns: 300 })
})

t.test('however a stream is cut, the answer is the one that comes in one piece', async t => {
  let places: readonly number[] = []
  const reply = () => ({ content: 'Grüße 🦔, and two calls.', toolCalls: [{ name: 'bash', arguments: '{"command":"echo ß🦔"}' }, { name: 'submit', arguments: '{}' }] })
  const fake = await startFakeServer({ reply, cutStream: bytes => cut(bytes, places) })
  t.teardown(() => fake.close())
  const tools = [{ name: 'bash', description: 'runs', parameters: {} }]
  const whole = await openClient(t, [fake.url]).ask(askOf({ tools }), never)
  t.match(whole, { finishReason: 'tool_calls', toolCalls: [{ id: 'call-0', name: 'bash', arguments: '{"command":"echo ß🦔"}' }, { id: 'call-1', name: 'submit', arguments: '{}' }] })
  const streaming = openClient(t, [fake.url], { stream: true })
  await fc.assert(fc.asyncProperty(fc.array(fc.nat(), { maxLength: 12 }), async at => {
    places = at
    const { startedAt: _, endedAt: __, ...answer } = await streaming.ask(askOf({ tools }), never)
    const { startedAt: ___, endedAt: ____, ...expected } = whole
    t.same(answer, expected)
  }), { numRuns: 40 })
})
