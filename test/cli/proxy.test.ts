// The proxy as a user starts it: agents speak to it, an attempt is finished, the others end with the process, and the records
// are files that everything else reads.

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { decodeRecord } from '../../src/rollout/record.ts'
import { toolSchemas } from '../../src/policy/llm/tools.ts'
import { startFakeServer } from '../helpers/fake-server.ts'
import { agents, post } from '../helpers/proxy-fixture.ts'
import { spar, type Ran } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

t.test('agents play through the command line', async t => {
  const cwd = testFolder(t)
  const server = await startFakeServer({ reply: conversation => conversation.length < 3 ? { content: 'I look.', toolCalls: [{ name: 'bash', arguments: '{"command": "ls"}' }] } : { content: 'Done.' } })
  t.teardown(() => server.close())
  let address: (origin: string) => void = () => {}
  const listening = new Promise<string>(resolve => { address = resolve })
  let end: () => void = () => {}
  let heard = ''
  const ran: Promise<Ran> = spar(['proxy', '--server', `openai=${server.url}`, '--model', 'fake', '--listen', '127.0.0.1:0', '--out', 'records', '--seed', '3', '--temperature', '0.7', '--json'], {
    home: join(cwd, 'home'), cwd, env: { SPAR_API_KEY: 'sk-upstream' },
    onErr: (text, child) => {
      heard += text
      end = () => { child.kill('SIGTERM') }
      const origin = /Listening on (http:\/\/127\.0\.0\.1:\d+)\//.exec(heard)?.[1]
      if (origin !== undefined) address(origin)
    }
  })
  const origin = await Promise.race([listening, ran.then(({ err }) => { throw new Error(err) })])
  for (const [index, name] of (['chat', 'responses', 'messages'] as const).entries()) {
    const agent = agents[name]({ base: `${origin}/proxy/rollout/e0001.solve.1.${index}/attempt/1`, system: 'Be short.', user: 'Look.', tools: toolSchemas('solver'), stream: true })
    t.match(await agent.turn(100), { text: 'I look.', calls: [{ name: 'bash' }] })
    agent.tell('a.js\n')
    t.match(await agent.turn(100), { text: 'Done.', calls: [] })
  }
  t.match(await post(`${origin}/proxy/rollout/e0001.solve.1.0/attempt/1/finish`, { outcome: 'scored', reward: 1 }), { status: 200, body: { reward: 1, segments: 1, record: join(cwd, 'records', 'e0001.solve.1.0.1.msgpack') } })
  end()
  const { code, json, err } = await ran
  t.equal(code, 0, err)
  t.match(json, { attempts: 3, calls: 6, failed: 0, untrainable: 0 })
  t.match(err, /e0001\.solve\.1\.1\.1 call 0 \(responses\): \d+ \+ \d+ tokens, tool_calls, \d+\.\d s; left out: web_search\n/)
  t.notMatch(err, /sk-upstream|sk-of-the-agent/)
  t.strictSame(readdirSync(join(cwd, 'records')).sort(), [0, 1, 2].map(member => `e0001.solve.1.${member}.1.msgpack`))
  const records = [0, 1, 2].map(member => decodeRecord(readFileSync(join(cwd, 'records', `e0001.solve.1.${member}.1.msgpack`))))
  t.match(records.map(({ outcome, reward }) => [outcome, reward]), [['scored', 1], ['cancelled', null], ['cancelled', null]])
  for (const { segments, calls, untrainable, messages } of records) {
    t.equal(untrainable, null)
    t.strictSame(calls.map(({ sampling }) => sampling), [3, 4].map(seed => ({ temperature: 0.7, top_p: 1, top_k: null, seed, max_tokens: 100 })))
    t.strictSame([...segments[0]!.token_ids], [...records[0]!.segments[0]!.token_ids], 'the same conversation, the same tokens')
    t.match(messages, [{ role: 'assistant', content: 'I look.', tool_call: { name: 'bash', arguments: '{"command": "ls"}' } }, { role: 'tool', content: 'a.js\n' }, { role: 'assistant', content: 'Done.' }])
  }
})

t.test('what cannot be started says why', async t => {
  const cwd = testFolder(t)
  const start = async (...args: string[]): Promise<Ran> => await spar(['proxy', ...args, '--json'], { home: join(cwd, 'home'), cwd })
  t.match(await start('--model', 'x'), { code: 64, json: { error: { code: 'OPTION_MISSING' } } })
  t.match(await start('--server', 'procedural', '--model', 'x'), { code: 64, err: /it takes openai=<url>, vllm=<url>, sglang=<url>/ })
  t.match(await start('--server', 'openai=http://u:p@127.0.0.1:9', '--model', 'x'), { code: 64, err: /SPAR_API_KEY/ })
  t.match(await start('--server', 'openai=http://127.0.0.1:9', '--model', 'x', '--listen', 'nowhere'), { code: 64, err: /--listen "nowhere"/ })
  t.match(await start('--server', 'openai=http://127.0.0.1:9', '--model', 'x'), { code: 2, json: { error: { code: 'SERVER_DOWN' } } })
  const server = await startFakeServer()
  t.teardown(() => server.close())
  t.match(await start('--server', `openai=${server.url}`, '--model', 'x'), { code: 64, json: { error: { code: 'OPTION_MODEL', message: /serves "fake"/ } } })
  t.match(await start('--server', `openai=${server.url}`, '--model', 'fake', '--listen', `127.0.0.1:${server.port}`), { code: 2, json: { error: { code: 'PROXY_LISTEN', message: /EADDRINUSE/ } } })
})
