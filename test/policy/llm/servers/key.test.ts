// The key comes from the environment, goes out in one header, and shows nowhere else, whatever a server says about it.

import { inspect } from 'node:util'
import t from 'tap'
import { SparError, toPlain } from '../../../../src/errors.ts'
import { status } from '../../../helpers/fake-server/faults.ts'
import { askOf, codeOf, never, openClient, openFake, ways } from '../../../helpers/servers-fixture.ts'

const key = 'sk-"se/cret"+0123456789'

t.test('the key is a bearer header from the variable that is named', async t => {
  const fake = await openFake(t)
  const table: [Record<string, string>, string | undefined, string | undefined][] = [
    [{ SPAR_API_KEY: key, OTHER: 'x' }, undefined, `Bearer ${key}`],
    [{ SPAR_API_KEY: 'x', OTHER: ` ${key}\n` }, 'OTHER', `Bearer ${key}`],
    [{ SPAR_API_KEY: '' }, undefined, undefined],
    [{}, 'OTHER', undefined]
  ]
  for (const [env, apiKeyVariable, header] of table) {
    await openClient(t, [fake.url], { ports: { env }, ...apiKeyVariable === undefined ? {} : { apiKeyVariable } }).ask(askOf(), never)
    t.equal(fake.turns.at(-1)!.headers.authorization, header)
  }
})

t.test('no error, answer or name holds the key, though the server repeats it', async t => {
  for (const way of ways) {
    const fake = await openFake(t, way.fake)
    const ports = { env: { SPAR_API_KEY: key } }
    const server = openClient(t, [fake.url], { ...way.options, ports })
    const shown: unknown[] = [server, server.name, await server.ask(askOf(), never)]
    const said = `Incorrect API key provided: ${key}.`
    const long = `${'x'.repeat(290)}${key}`
    for (const fault of [status(401, { error: { message: said } }), status(500, said), status(429, { detail: [{ msg: said }] }), status(400, { message: `maximum context length ${said}` }), status(403, long), { kind: 'reset' } as const, { kind: 'truncated' } as const, { kind: 'finish', reason: 'x' } as const]) {
      fake.failAll(fault)
      shown.push(await codeOf(server.ask(askOf(), never)))
    }
    await fake.down()
    shown.push(await codeOf(server.ask(askOf(), never)))
    for (const each of shown) {
      const text = inspect(each, { depth: 20, showHidden: true }) + JSON.stringify(each instanceof SparError ? toPlain(each) : each) + (each instanceof Error ? each.stack : '')
      for (const part of [key, 'se/cret', '0123456789']) t.notMatch(text, part, `${way.name}: ${text.slice(0, 80)}`)
    }
  }
})

t.test('options that cannot be used are refused, without repeating a secret', async t => {
  const url = 'http://127.0.0.1:1'
  const table: [Parameters<typeof openClient>[1], Parameters<typeof openClient>[2], RegExp][] = [
    [['http://me:hunter2@host'], {}, /holds credentials/],
    [['ftp://host'], {}, /http:\/\//],
    [['nonsense'], {}, /"nonsense" is no address/],
    [['http://host/?token=hunter2'], {}, /query/],
    [[], {}, /1 to 256 addresses/],
    [[url, `${url}/v1`], {}, /twice/],
    [[url], { model: '' }, /name of a model/],
    [[url], { protocol: 'grpc' as never }, /none of openai/],
    [[url], { protocol: 'sglang', stream: true }, /does not stream/],
    [[url], { ports: { env: { SPAR_API_KEY: 'two\nlines hunter2' } } }, /no header can carry/]
  ]
  for (const [urls, options, message] of table) {
    try {
      openClient(t, urls, options)
      t.fail(String(message))
    } catch (error) {
      t.match(error, { code: 'OPTION_SERVER', message })
      t.notMatch((error as Error).message, 'hunter2')
    }
  }
})
