// Goal: an address that is taken is told at once, with the option that chooses another, before a run or a node is there. Method: a
// server that holds a port, and the commands as processes.

import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { connectNats } from '../../src/bus/nats.ts'
import { listNodes } from '../../src/cluster/presence.ts'
import { systemClock } from '../../src/clock.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

const holder = createServer(() => {})
await new Promise<void>(resolve => holder.listen(0, '127.0.0.1', resolve))
t.teardown(() => holder.close())
const taken = `127.0.0.1:${(holder.address() as AddressInfo).port}`
const refused = (code: string, option: string) => ({ code: 2, err: new RegExp(`Cannot listen on ${taken}: .*EADDRINUSE.*Choose another address with ${option} \\[${code}\\]`) })

t.test('spar play makes no folder, and spar inspect names its own option', async t => {
  const cwd = testFolder(t, { target: { 'a.js': '' } })
  const at = { home: join(cwd, 'home'), cwd }
  t.match(await spar(['play', join(cwd, 'target'), '--sandbox', 'process', `--inspect=${taken}`, '--out', 'out'], at), refused('INSPECT_HTTP', '--inspect'))
  t.notOk(existsSync(join(cwd, 'out')))
  t.match(await spar(['inspect', '--run', 'out', '--listen', taken], at), refused('INSPECT_HTTP', '--listen'))
})

t.test('spar node does not join', { skip: skipWithoutNats() }, async t => {
  const cwd = testFolder(t)
  const at = { home: join(cwd, 'home'), cwd }
  const server = await startNats(t, { kind: natsServers().at(-1)!, folder: join(cwd, 'nats') })
  const node = ['node', '--name', 'n1', '--nats', server.url, '--nats-store-gib', '1', '--sandbox', 'process', '--json', '--log-level', 'debug']
  const ran = [await spar([...node, '--http', taken], at), await spar([...node, '--http', 'off', `--inspect=${taken}`], at)]
  t.match(ran, [refused('NODE_HTTP', '--http'), refused('INSPECT_HTTP', '--inspect')])
  t.notMatch(ran.map(({ out }) => out).join(''), /joined/)
  const bus = await connectNats({ servers: [server.url], name: 'test', clock: systemClock })
  t.teardown(() => bus.close())
  t.same(await listNodes(bus), [])
})
