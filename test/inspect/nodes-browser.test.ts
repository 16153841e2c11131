// Goal: an operator drains a node on the page and sees it leave; a node that dies is seen as silent, then as gone. Method: two
// `spar node` and a `spar inspect` that wants a token to act, as processes on a real server, and a real browser.

import t from 'tap'
import { browserSkip, seriousFindings, startBrowser } from '../helpers/browser.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { startNodeProcess } from '../helpers/nodes.ts'
import { serving } from '../helpers/serving.ts'
import { testFolder } from '../helpers/test-folder.ts'

const token = 'who-has-this-token-may-act-here-1'
const skip = skipWithoutNats() || browserSkip.skip || false

t.test('a node is drained on the page and leaves; another one is killed', { skip, timeout: 120_000 }, async t => {
  const cwd = testFolder(t)
  const server = await startNats(t, { kind: natsServers().at(-1)!, syncInterval: '1s' })
  const at = ['--nats', server.url, '--nats-store-gib', '1']
  const startNode = (name: string) => startNodeProcess(t, [...at, '--name', name, '--sandbox', 'process', '--http', 'off'], { home: cwd, cwd })
  const [drained, killed, { url }, browser] = await Promise.all([
    startNode('node-a'), startNode('node-b'), serving(t, ['inspect', ...at, '--listen', '127.0.0.1:0'], cwd, { SPAR_INSPECT_ACT_TOKEN: token }), startBrowser(t)
  ])
  const { page, complaints } = await browser.open()
  const card = (node: string) => page.locator('.card', { hasText: node })
  const shows = (node: string, state: string): Promise<void> => card(node).locator('.badge', { hasText: state }).waitFor({ timeout: 60_000 })
  const sees = (words: string): Promise<void> => page.getByText(words).first().waitFor({ timeout: 60_000 })

  await page.goto(url)
  await shows('node-a', 'serving')
  await shows('node-b', 'serving')
  t.equal(await page.getByRole('button', { name: 'drain' }).count(), 0, 'who brings no token looks, and cannot act')

  await page.goto(`${url}?token=${token}`)
  await card('node-a').getByRole('button', { name: 'drain' }).click()
  await card('node-a').getByRole('group', { name: 'drain' }).getByRole('button', { name: 'drain' }).click()
  t.equal(await drained.ended, 0, 'it has left')
  await card('node-a').waitFor({ state: 'detached' })
  await sees('1 node waits for a run')
  await shows('node-b', 'serving')

  killed.kill()
  await shows('node-b', 'silent')
  await sees('1 node does not answer')
  t.equal(await card('node-b').getByRole('button', { name: 'drain' }).count(), 0, 'nothing can be asked of it')
  t.same(await seriousFindings(page), [], 'axe, silent')
  await browser.shot(page, 'node-silent')
  await shows('node-b', 'gone')
  await sees('no node is there. 1 node is gone.')
  t.equal(await card('node-a').count(), 0, 'who has left is not counted as gone')
  t.same(await seriousFindings(page), [], 'axe, gone')
  await browser.shot(page, 'node-gone')
  t.same(complaints, [])
})
