// Goal: however the bytes of a server come, whole messages are handed on, in order, and what is kept of them stays what it was.
// Method: a wire of lines and messages of both kinds, read in random pieces; the reader gives back what was lent before it reads on.

import fc from 'fast-check'
import t from 'tap'
import { Incoming } from '../../../../src/bus/nats/lane/incoming.ts'
import { laneLimits } from '../../../../src/bus/nats/lane/limits.ts'

interface Said { subject: string; bytes: number }

const wireOf = ({ subject, bytes }: Said, index: number): Buffer =>
  subject === '' ? Buffer.from('PING\r\n') : Buffer.concat([Buffer.from(`MSG ${subject} ${index} reply.${index} ${bytes}\r\n`), Buffer.alloc(bytes, index % 256), Buffer.from('\r\n')])

/** Reads it all as the client does: piece by piece, in the turn in which they came. */
async function heard (wire: Buffer, cuts: number[]): Promise<{ pieces: Uint8Array[]; lent: number; whole: boolean }> {
  const incoming = new Incoming(subject => subject.startsWith('lent'))
  const kept: Uint8Array[] = []
  const seen: Buffer[] = []
  let whole = true
  const reading = (async () => {
    for (let piece = await incoming.next(); piece.done !== true; piece = await incoming.next()) {
      kept.push(piece.value)
      seen.push(Buffer.from(piece.value))
      whole &&= piece.value.at(-1) === 10
    }
  })()
  let at = 0
  for (let turn = 0; at < wire.length; turn++) {
    const room = incoming.room()
    const bytes = Math.min(room.length, cuts[turn % cuts.length]!, wire.length - at)
    room.set(wire.subarray(at, at + bytes))
    at += bytes
    incoming.took(bytes)
    // As after each read of a socket.
    await new Promise(setImmediate)
  }
  incoming.end()
  await reading
  t.ok(Buffer.concat(seen).equals(wire), 'everything came, in order')
  const lent = kept.filter((piece, index) => !seen[index]!.equals(piece)).length
  return { pieces: kept.filter((_, index) => !seen[index]!.includes('lent')), lent, whole }
}

const said: fc.Arbitrary<Said> = fc.record({ subject: fc.constantFrom('', 'lent.a', 'own.b'), bytes: fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 3 * laneLimits.readBytes })) })

t.test('whole messages, however they are cut', async t => {
  await fc.assert(fc.asyncProperty(fc.array(said, { minLength: 1, maxLength: 12 }), fc.array(fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1_000, max: 2 ** 20 })), { minLength: 1, maxLength: 6 }), async (all, cuts) => {
    const wire = Buffer.concat(all.map(wireOf))
    // A large wire in steps of a few bytes takes too long.
    const steps = cuts.map(cut => Math.max(cut, Math.ceil(wire.length / 2_000)))
    const { whole } = await heard(wire, steps)
    t.ok(whole)
  }), { numRuns: 60 })
})

t.test('what is not lent stays what it was', async t => {
  const all = Array.from({ length: 200 }, (_, index): Said => ({ subject: index % 3 === 0 ? 'own.b' : 'lent.a', bytes: 5_000 }))
  const { pieces, lent } = await heard(Buffer.concat(all.map(wireOf)), [70_000])
  const own = Buffer.concat(pieces).toString('latin1').split('MSG ').slice(1).map(message => message.slice(0, message.indexOf('\r\n')))
  t.equal(own.length, 67)
  t.ok(lent > 0, 'and what is lent does not')
  for (const piece of pieces) {
    const text = Buffer.from(piece).toString('latin1')
    const index = Number(/^MSG own\.b (\d+) /.exec(text)![1])
    t.ok(text.slice(text.indexOf('\n') + 1, -2) === String.fromCharCode(index % 256).repeat(5_000), `message ${index}`)
  }
})

t.test('a server that sends what none may is not followed', async t => {
  const incoming = new Incoming(() => false)
  const read = (text: string): void => {
    const bytes = Buffer.from(text)
    incoming.room().set(bytes)
    incoming.took(bytes.length)
  }
  t.throws(() => read(`MSG a 1 ${laneLimits.messageBytesMax + 1}\r\n`), /messageBytesMax/)
  const lending = new Incoming(() => true)
  void lending.next()
  const one = Buffer.from('MSG lent 1 2\r\nab\r\n')
  lending.room().set(one)
  lending.took(one.length)
  lending.room().set(one)
  t.throws(() => lending.took(one.length), /still lent/)
})
