// Goal: a newcomer starts a run, watches it in a browser, opens an actor, follows an episode to its end, and reads it again when it
// is over; a node of a cluster is drained from the page. Method: the real command line, its real page, a real browser.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { machineViews } from '../../actors/definitions.ts'
import { clusterSource, folderSource } from '../../src/cli/inspect-sources.ts'
import { listenForPage, servePage } from '../../src/cli/inspect-options.ts'
import { createBridgeServer } from '../../src/bridge/server.ts'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { Bus } from '../../src/bus/types.ts'
import { createRegistry } from '../../src/inspect/registry.ts'
import { serveInspect } from '../../src/inspect/serve.ts'
import { systemClock } from '../../src/clock.ts'
import { links } from '../../src/inspect/page/route.ts'
import { decodeRecord, encodeRecord } from '../../src/rollout/record.ts'
import { trajectoryPath } from '../../src/store/episodes.ts'
import { browserSkip, seriousFindings, startBrowser } from '../helpers/browser.ts'
import { documentOf, startTestNode, submit, untilAborted, type TestNode } from '../helpers/cluster-fixture.ts'
import { makeRun } from '../helpers/run-fixture.ts'
import { serving } from '../helpers/serving.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'
import { hostile } from './page-values.ts'

const sees = (page: Page, words: string | RegExp, timeout = 120_000): Promise<void> => page.getByText(words).first().waitFor({ timeout })

/** Asks until it is so. The page's policy lets nothing wait within it. */
async function until (isSo: () => Promise<boolean>, timeoutMs = 240_000): Promise<void> {
  const over = AbortSignal.timeout(timeoutMs)
  while (!await isSo()) {
    if (over.aborted) throw new Error(`it was not so within ${timeoutMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}

t.test('a run is started, watched, an actor opened, an episode followed to its end', { ...browserSkip, timeout: 600_000 }, async t => {
  const cwd = testFolder(t)
  const browser = await startBrowser(t)
  const { url, child, ended } = await serving(t, ['play', 'npm:process-warning@4.0.0 - 5.0.0', '--episodes', '40', '--group', '3', '--min-files', '1', '--min-passing', '5', '--sandbox', 'process', '--jobs', '2', '--out', join(cwd, 'watched'), '--inspect=127.0.0.1:0', '--allow-actions'], cwd)
  const { page, complaints } = await browser.open()

  await page.goto(url)
  await sees(page, 'Run watched is playing')
  await sees(page, /\d episodes? (breaking|verifying|solving)/)
  t.same(await seriousFindings(page), [], 'axe, overview')
  await browser.shot(page, 'watched-overview')

  await page.keyboard.press('2')
  await page.locator('.actor', { hasText: /breaker|solver/ }).first().waitFor({ timeout: 120_000 })
  t.same(await seriousFindings(page), [], 'axe, actors')
  await browser.shot(page, 'watched-actors')
  await page.locator('.actor', { hasText: 'episode' }).first().click()
  const step = page.getByRole('slider', { name: 'Step' })
  await step.waitFor()
  const before = Number(await step.getAttribute('max'))
  const state = page.locator('.chart .lit .name')
  t.match(await state.textContent(), /^(breaking|verifying|solving|promoting|settling|done)$/)
  await until(async () => Number(await step.getAttribute('max')) > before)
  t.ok(await page.locator('.chart .taken').count() > 0, 'the transition that it took is marked')
  t.same(await seriousFindings(page), [], 'axe, actor')
  await browser.shot(page, 'watched-actor')

  await page.goto(url + links.episode('watched', 'e0001'))
  await page.locator('h1 .badge', { hasText: /^(played|rejected|fault)$/ }).waitFor({ timeout: 240_000 })
  await browser.shot(page, 'watched-episode')
  for (const tab of ['files', 'checks', 'attempts'] as const) {
    await page.goto(url + links.episode('watched', 'e0001', tab))
    await page.locator('.panel, .attempt, .empty').first().waitFor()
    t.same(await seriousFindings(page), [], `axe, ${tab}`)
    await browser.shot(page, `watched-${tab}`)
  }
  await page.goto(url + links.rollout('watched', 'e0001.break'))
  await page.locator('.turn').first().waitFor()
  t.same(await seriousFindings(page), [], 'axe, rollout')
  await browser.shot(page, 'watched-rollout')
  await page.goto(url + links.training('watched'))
  await sees(page, 'Solve rate and validity')
  await browser.shot(page, 'watched-training')
  t.same(complaints, [], 'the page complains of nothing')

  await page.goto(url)
  await sees(page, 'Run watched is playing')
  child.kill('SIGINT')
  await ended
  await sees(page, 'Not live')

  t.test('the folder that it leaves is read on the same page, and as a report', async t => {
    const { url: folderUrl } = await serving(t, ['inspect', '--run', join(cwd, 'watched'), '--listen', '127.0.0.1:0'], cwd)
    const { page, complaints } = await browser.open({ scheme: 'dark' })
    await page.goto(folderUrl)
    await sees(page, 'Run watched is')
    await sees(page, 'finished run')
    await page.goto(folderUrl + links.episode('watched', 'e0001'))
    await sees(page, 'Lineage')
    t.equal(await page.getByRole('button', { name: 'pause' }).count(), 0, 'nothing can be done to it')
    const file = join(cwd, 'report.html')
    t.equal((await spar(['report', join(cwd, 'watched'), '--out', file], { home: join(cwd, 'home'), cwd })).code, 0)
    await page.goto(pathToFileURL(file).href + links.episode('watched', 'e0001'))
    await sees(page, 'Lineage')
    t.same(await seriousFindings(page), [], 'axe, report')
    t.same(complaints, [])
  })
})

/** A node whose solvers go on until it gives them up, seen over the bridge. */
async function startShown (t: Test, bus: Bus, nodeId: string): Promise<TestNode> {
  const registry = createRegistry({ node: nodeId, clock: systemClock })
  const node = startTestNode({ bus, nodeId, registry, drainMs: 1_000, standIn: { before: ({ work, signal }) => work.kind === 'solve' ? untilAborted(signal) : undefined } })
  const server = createBridgeServer({ bus, clock: systemClock })
  t.teardown(async () => {
    node.drain()
    await node.ended
    await server.destroy()
  })
  await serveInspect(server, { registry, machines: machineViews, clock: systemClock, drain: () => node.drain() })
  await node.ready
  return node
}

t.test('a node is drained from the page', { ...browserSkip, timeout: 120_000 }, async t => {
  const browser = await startBrowser(t)
  const broker = createMemoryBroker({ clock: systemClock, ackWaitMs: 60_000, nodeTtlMs: 2_000 })
  const [, other] = [await startShown(t, broker.connect(), 'node-a'), await startShown(t, broker.connect(), 'node-b')]
  const bus = broker.connect()
  const source = clusterSource(bus)
  t.teardown(() => source.close())
  const gateway = servePage(source, await listenForPage('127.0.0.1:0', '--listen', { 'allow-actions': true }), { err: () => {} })
  t.teardown(() => gateway.close())
  await submit(bus, documentOf('drained', { episodes: 4 }))
  const { page, complaints } = await browser.open()
  await page.goto(gateway.url)
  const card = page.locator('.card', { hasText: 'node-b' })
  await card.locator('.badge', { hasText: 'serving' }).waitFor()
  await browser.shot(page, 'cluster-before')
  await card.getByRole('button', { name: 'drain' }).click()
  await card.getByRole('group', { name: 'drain' }).getByRole('button', { name: 'drain' }).click()
  t.match(await other!.ended, { kind: 'left' }, 'it has left')
  await card.locator('.badge', { hasText: 'serving' }).waitFor({ state: 'detached' })
  await browser.shot(page, 'cluster-after')
  t.equal(await page.locator('.card', { hasText: 'node-a' }).locator('.badge', { hasText: 'serving' }).count(), 1, 'the other one serves')
  t.same(complaints, [])
})

t.test('a record that means harm, with a line of 50 MB and tokens of two versions, is read over the real gateway', { ...browserSkip, timeout: 120_000 }, async t => {
  const browser = await startBrowser(t)
  const { store } = await makeRun(testFolder(t))
  const path = join(store.dir, trajectoryPath('e0001.break'))
  const record = decodeRecord(readFileSync(path))
  writeFileSync(path, encodeRecord({
    ...record, messages: [{ role: 'assistant', content: hostile, tool_call: { tool: 'bash', command: hostile } }, { role: 'tool', content: hostile + 'A'.repeat(50 * 2 ** 20), tool_call: null }],
    calls: [], segments: [{ token_ids: Int32Array.of(11, 12, 13, 14), mask: Uint8Array.of(0, 1, 1, 1), logprobs: Float32Array.of(0, -0.05, -3, -5), policy_versions: [{ version: '7', tokens: 2 }, { version: '8', tokens: 2 }], call_ids: [], break_reason: null }]
  }))
  const source = folderSource([store.dir])
  t.teardown(() => source.close())
  const gateway = servePage(source, await listenForPage('127.0.0.1:0', '--listen', {}), { err: () => {} })
  t.teardown(() => gateway.close())
  const { page, complaints } = await browser.open()
  await page.goto(gateway.url + links.rollout(store.run, 'e0001.break'))
  await sees(page, '<script>document.title=\'owned\'</script>')
  t.ok(((await page.locator('.observed pre').first().textContent()) ?? '').length < 5_000, 'a part of the line')
  t.equal(await page.evaluate('document.querySelectorAll("main img, main script, main svg, main iframe").length'), 0)
  await page.locator('.cells i').nth(2).hover()
  await sees(page, /id 13, drawn by 8, logprob -3\.000/)
  t.same(await page.locator('.cells i').evaluateAll((cells: { className: string }[]) => cells.map(({ className }) => className.split(' ')[1])), ['given', 'p5', 'p1', 'p0'])
  t.same(complaints, [])
})
