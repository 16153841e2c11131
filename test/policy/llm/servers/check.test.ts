// Before anything is played every endpoint is looked at: what would be wrong in every turn is told at once, with the address it
// is wrong at; an endpoint that is down while another is well keeps nobody from playing.

import t from 'tap'
import { askOf, codeOf, never, openClient, openFake, ways } from '../../../helpers/servers-fixture.ts'

for (const way of ways.filter(({ options }) => options.stream !== true)) {
  t.test(way.name, async t => {
    t.test('a wrong name is told with the names that the server has', async t => {
      const fake = await openFake(t, { ...way.fake, models: { ids: ['Qwen/Qwen3', 'adapter "a"'] } })
      const error = await codeOf(openClient(t, [fake.url], way.options).check())
      t.match(error, { code: 'OPTION_MODEL', retryable: false, message: `Cannot play with the model "fake": ${fake.url} serves "Qwen/Qwen3", "adapter \\"a\\""` })
      t.equal(fake.turns.length, 0)
    })

    t.test('a right name, a server without the route and one without a list play', async t => {
      for (const models of [{ ids: ['other', 'fake'] }, { ids: ['fake:latest'] }, null, { ids: [] }]) {
        const fake = await openFake(t, { ...way.fake, models })
        const server = openClient(t, [fake.url], way.options)
        t.match(await server.check(), { down: [] })
        t.equal((await server.ask(askOf(), never)).text, 'yes', JSON.stringify(models))
      }
    })
  })
}

t.test('a server that takes every name for its one model is not held to it', async t => {
  const fake = await openFake(t, { kind: 'generic', models: { ids: ['/models/tiny.gguf'], owner: 'llamacpp' } })
  t.match(await openClient(t, [fake.url], { flavour: 'auto' }).check(), { down: [] })
})

t.test('of several endpoints every one is asked, and each that disagrees is named', async t => {
  const [well, other, third] = await Promise.all([openFake(t), openFake(t, { models: { ids: ['a'] } }), openFake(t, { models: { ids: Array.from({ length: 25 }, (_, index) => `m${index}`) } })])
  const error = await codeOf(openClient(t, [well.url, other.url, third.url]).check())
  t.match(error, { code: 'OPTION_MODEL', data: { model: 'fake', endpoints: 2 } })
  t.match(error.message, new RegExp(`${other.url} serves "a"; ${third.url} serves "m0", .*"m19" and 5 more\\.`))
  t.notMatch(error.message, well.url)
})

t.test('a key that one endpoint refuses is told, though others take it', async t => {
  const [well, refuses] = await Promise.all([openFake(t), openFake(t, { keys: ['other'] })])
  t.match(await codeOf(openClient(t, [well.url, refuses.url], { ports: { env: { SPAR_API_KEY: 'hunter2' } } }).check()), { code: 'SERVER_REFUSED', message: new RegExp(`${refuses.url}/v1/models.*401`) })
})

t.test('an endpoint that is down is told of where others are well, and is the error where none is', async t => {
  const [well, down, alsoDown] = await Promise.all([openFake(t, { contextTokensMax: 5000 }), openFake(t), openFake(t)])
  const small = await openFake(t, { contextTokensMax: 4000 })
  await Promise.all([down.down(), alsoDown.down()])
  t.match(await openClient(t, [down.url, well.url, small.url]).check(), { contextTokensMax: 4000, down: [{ address: down.url, reason: /Cannot ask/ }] })
  const error = await codeOf(openClient(t, [down.url, alsoDown.url]).check())
  t.match(error, { code: 'SERVER_DOWN', retryable: true, message: new RegExp(`${down.url}.*${alsoDown.url}`) })
})
