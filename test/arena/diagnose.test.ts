import t from 'tap'
import { diagnose, isNatsSafe } from '../../src/arena/diagnose.ts'

t.test('knows which nats-server is fit for production', async t => {
  for (const version of ['2.10.27', '2.10.30', '2.11.1', '2.12.0', '3.0.0']) t.ok(isNatsSafe(version), version)
  for (const version of ['2.9.10', '2.10.26', '2.11.0', '1.4.1']) t.notOk(isNatsSafe(version), version)
})

t.test('says what follows when there is neither an engine nor an isolation', async t => {
  const report = { isolation: 'none' as const, overlay: false, cgroups: null, refused: [{ isolation: 'bubblewrap', reason: 'not installed: bwrap' }] }
  const { findings, sandboxes, targets, auto, ready } = await diagnose({ isolation: async () => report, engine: async () => null })
  t.same(sandboxes, { docker: false, process: 'none', overlay: false })
  t.match(findings.find(({ name }) => name === 'process sandbox'), { state: 'old', follows: /with your rights.*not installed: bwrap/ })
  t.match(findings.find(({ name }) => name === 'docker'), { state: 'missing' })
  t.match({ targets, auto, ready }, { targets: { git: true, npm: true, docker: false }, auto: { directory: 'process', image: null }, ready: true })
})

t.test('an isolation that cannot even be tried is told, not thrown', async t => {
  const { findings } = await diagnose({ isolation: async () => { throw new Error('the disk is full') }, engine: async () => ({ version: '25.0', refusal: null }) })
  t.match(findings.find(({ name }) => name === 'process sandbox'), { state: 'missing', follows: /the disk is full/ })
})

t.test('auto takes the engine for a directory only when it can play one', async t => {
  const report = { isolation: 'bubblewrap' as const, overlay: true, cgroups: null, refused: [] }
  const taken = async (refusal: string | null): Promise<unknown> => (await diagnose({ isolation: async () => report, engine: async () => ({ version: '25.0', refusal }) })).auto
  t.same(await taken(null), { directory: 'docker', image: 'docker' })
  t.same(await taken('it is elsewhere'), { directory: 'process', image: 'docker' })
})
