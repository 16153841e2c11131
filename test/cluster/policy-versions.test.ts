// Which weights are served reaches every node, and the turn that is played next. Method: the memory bus; the command on a real
// server.

import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import { pack } from '../../src/cluster/codec.ts'
import { announcePolicy, followPolicies, listPolicies } from '../../src/cluster/policy-versions.ts'
import { systemClock } from '../../src/clock.ts'
import { unversioned } from '../../src/policy/llm/policy.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

t.test('who follows names what was announced last, of its model', async t => {
  const broker = createMemoryBroker({ clock: systemClock })
  const [trainer, node] = [broker.connect(), broker.connect()]
  await announcePolicy(trainer, { model: 'org/a model', version: 'step-1', at: 1 })
  const over = new AbortController()
  const faults: string[] = []
  const served = followPolicies(node, code => faults.push(code), over.signal)
  await served.ready
  const [mine, other] = [served.of('org/a model', unversioned), served.of('another', { current: () => 'stated' })]
  t.equal(mine.current(), 'step-1', 'what was there before')
  t.equal(other.current(), 'stated')
  await announcePolicy(trainer, { model: 'org/a model', version: 'step-2', at: 2 })
  while (mine.current() !== 'step-2') await systemClock.sleep(1)
  const { key } = (await all(node.kv.policies.watch('', over.signal)))[0]!
  await trainer.kv.policies.put(key, pack({ schema_version: 99, model: 'org/a model', version: 'step-3' }))
  while (faults.length === 0) await systemClock.sleep(1)
  t.same(faults, ['CLUSTER_SCHEMA_NEWER'])
  t.equal(mine.current(), 'step-2', 'what cannot be read changes nothing')
  await trainer.kv.policies.remove(key)
  while (mine.current() !== 'unversioned') await systemClock.sleep(1)
  t.same(await listPolicies(trainer), [])
  over.abort()
})

async function all<Entry> (entries: AsyncIterable<Entry | null>): Promise<Entry[]> {
  const found: Entry[] = []
  for await (const entry of entries) {
    if (entry === null) break
    found.push(entry)
  }
  return found
}

const skip = skipWithoutNats()
t.test('the command announces and lists', { skip }, async t => {
  const { url } = await startNats(t, { kind: natsServers().at(-1)! })
  const at = { home: testFolder(t), cwd: testFolder(t) }
  t.match(await spar(['policy', 'list', '--nats', url], at), { code: 0, out: /Nothing was announced/ })
  t.match(await spar(['policy', 'announce', 'org/a model', 'step 9', '--nats', url], at), { code: 0, out: /org\/a model is step 9/ })
  const { code, out } = await spar(['policy', 'list', '--nats', url, '--json'], at)
  t.equal(code, 0)
  t.match(JSON.parse(out), { policies: [{ model: 'org/a model', version: 'step 9', at: Number }] })
  t.match(await spar(['policy', 'announce', 'm', '--nats', url], at), { code: 64, err: /OPTION_MISSING/ })
  t.match(await spar(['policy', 'announce', 'm', 'a\nb', '--nats', url], at), { code: 64, err: /OPTION_INVALID/ })
})
