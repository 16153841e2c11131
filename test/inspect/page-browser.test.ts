// Goal: the page does in a real browser what it is for, and what a model wrote does nothing there. Method: Debian's Chromium on
// the page as it is built, under the policy that it is served with, against a server that plays values of the protocol.

import { pathToFileURL } from 'node:url'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Page } from 'playwright-core'
import { reportElement, topics, type Report } from '../../src/inspect/protocol.ts'
import { links } from '../../src/inspect/page/route.ts'
import { browserSkip, seriousFindings, startBrowser } from '../helpers/browser.ts'
import { testFolder } from '../helpers/test-folder.ts'
import { readPageFile, startPageServer, type PageServer } from './page-server.ts'
import { actor, actors, actorView, cluster, episode, hello, now, steps, text, values } from './page-values.ts'

async function serve (t: Test, given = values): Promise<PageServer> {
  const server = await startPageServer(hello, given)
  t.teardown(() => server.stop())
  return server
}

/** Every view, and words that are seen there once it is drawn. */
const views: [name: string, hash: string, words: string][] = [
  ['cluster', links.cluster, 'Run demo-1 is playing'], ['actors', links.actors(), 'attending.serving'], ['actor', links.actor('node-a/4'), 'follows now'], ['episodes', links.run('demo-1'), 'rejected: inverse'],
  ['overview', links.episode('demo-1', 'e0001'), 'Lineage'], ['files', links.episode('demo-1', 'e0001', 'files'), 'puts the bug into the code'], ['checks', links.episode('demo-1', 'e0001', 'checks'), 'none: the file is not needed'],
  ['attempts', links.episode('demo-1', 'e0001', 'attempts'), 'still failing'], ['rollout', links.rollout('demo-1', 'e0001.break'), 'exit 1'], ['training', links.training('demo-1'), 'Solve rate and validity'],
  ['missing', links.actor('node-z/9'), 'nobody knows it'], ['nowhere', '#/nowhere', 'There is nothing here']
]

const sees = (page: Page, words: string): Promise<unknown> => page.getByText(words).first().waitFor({ timeout: 10_000 })

t.test('every view is drawn in light and dark and on a phone, without a complaint, and axe finds nothing serious', browserSkip, async t => {
  const [browser, server] = [await startBrowser(t), await serve(t)]
  for (const [kind, options] of [['light', {}], ['dark', { scheme: 'dark' }], ['phone', { width: 390, height: 800 }]] as const) {
    const { page, complaints } = await browser.open(options)
    for (const [name, hash, words] of views) {
      await page.goto(server.url + hash)
      await sees(page, words)
      await browser.shot(page, `${kind}-${name}`)
      t.same(await seriousFindings(page), [], `${kind}, ${name}: axe`)
      t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${kind}, ${name}: nothing stands out to the side`)
    }
    t.same(complaints, [], kind)
    await page.close()
  }
})

t.test('what a model wrote stays text, on every view', browserSkip, async t => {
  const [browser, server] = [await startBrowser(t), await serve(t)]
  const { page, complaints } = await browser.open()
  for (const [name, hash, words] of views) {
    await page.goto(server.url + hash)
    await sees(page, words)
    await page.evaluate('for (const details of document.querySelectorAll("main details")) details.open = true')
    for (const more of await page.getByRole('button', { name: 'show more' }).all()) await more.click()
    const found = await page.evaluate(`({
      elements: document.querySelectorAll('main img, main script, main style, main iframe, main object, main [onerror], main [onload]').length,
      links: [...document.querySelectorAll('a')].filter(a => !a.getAttribute('href').startsWith('#')).length,
      title: document.title.includes('owned'), escapes: /[\\u0000-\\u0008\\u001b\\u202e]/.test(document.body.innerText)
    })`)
    t.same(found, { elements: 0, links: 0, title: false, escapes: false }, name)
  }
  await page.goto(server.url + links.rollout('demo-1', 'e0001.break'))
  await sees(page, '<script>document.title=\'owned\'</script>')
  t.ok(await page.locator('.fg1', { hasText: 'red' }).count() > 0, 'colours of a terminal are shown')
  t.same(complaints, [])
})

t.test('a long text is shown in bounded steps', browserSkip, async t => {
  const [browser, server] = [await startBrowser(t), await serve(t)]
  const { page } = await browser.open()
  await page.goto(server.url + links.rollout('demo-1', 'e0001.break'))
  const first = page.locator('.said pre').first()
  await first.waitFor()
  const length = async (): Promise<number> => (await first.innerText()).length
  t.ok(await length() < 5_000, 'a part of it at first')
  await page.locator('.said').first().getByRole('button', { name: 'show more' }).click()
  const second = await length()
  t.ok(second > 15_000 && second < 25_000, 'one step more')
})

t.test('of thousands of actors those in sight are drawn, and they change, fold and are found', browserSkip, async t => {
  const many = [...actors, ...Array.from({ length: 10_000 }, (_, index) => actor(`node-b/${index + 2}`, 'node-b/1', 'sandbox', `sandbox-${index}`, 'ready'))]
  const [browser, server] = [await startBrowser(t), await serve(t, { ...values, [topics.actors]: { rows: many, leftOut: 3 } })]
  const { page, complaints } = await browser.open()
  await page.goto(server.url + links.actors())
  await sees(page, '10,004 live actors')
  await sees(page, '3 more are not listed')
  const rows = page.locator('.vrow')
  t.ok(await rows.count() < 80, 'only what is seen')
  await page.locator('.virtual').evaluate((box: { scrollTop: number }) => { box.scrollTop = 200_000 })
  await page.locator('[data-key="node-b/6680"]').waitFor()
  t.ok(await rows.count() < 80)
  server.change(topics.actors, { rows: [actor('node-b/6680', 'node-b/1', 'sandbox', 'sandbox-6678', 'busy')], gone: ['node-b/6681'], leftOut: 0 })
  await page.locator('[data-key="node-b/6680"]', { hasText: 'busy' }).waitFor()
  t.equal(await page.locator('[data-key="node-b/6681"]').count(), 0)
  await page.keyboard.press('/')
  await page.keyboard.type('solver asking')
  await sees(page, '4 rows')
  t.same(await page.locator('.vrow').evaluateAll((all: { dataset: { key: string } }[]) => all.map(({ dataset }) => dataset.key)), ['node-a/1', 'node-a/2', 'node-a/3', 'node-a/4'], 'with all that stands above')
  t.match(page.url(), /#\/actors\?q=solver/, 'a search can be linked to')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Home')
  await page.keyboard.press('ArrowLeft')
  await page.locator('[data-key="node-a/2"]').waitFor({ state: 'detached' })
  await page.keyboard.press('ArrowRight')
  for (const key of ['j', 'j', 'j', 'Enter']) await page.keyboard.press(key)
  await page.waitForURL(/#\/actor\/node-a%2F4/)
  t.same(complaints, [])
})

t.test('an actor is followed as it goes, and its past can be gone back to', browserSkip, async t => {
  const [browser, server] = [await startBrowser(t), await serve(t)]
  const { page } = await browser.open()
  await page.goto(server.url + links.actor('node-a/4'))
  const lit = page.locator('.chart .lit .name')
  await lit.waitFor()
  t.equal(await lit.textContent(), 'asking')
  t.same((await page.locator('.chart .row.taken').allTextContents()).sort(), ['always', 'done act'], 'how it came here, through a state that is left at once')
  server.change(topics.actor('node-a/4'), { row: { ...actorView.row, state: 'collecting' }, steps: [{ ...steps[3]!, n: 5, event: 'xstate.done.actor.ask', state: 'collecting', context: text('{"turns":4}') }], stepsLeftOut: 0, events: [], eventsLeftOut: 0, children: [] })
  await page.locator('.chart .lit .name', { hasText: 'collecting' }).waitFor()
  t.same(await page.locator('.chart .row.taken').allTextContents(), ['done ask [isSubmit]'])
  for (const key of ['ArrowLeft', 'ArrowLeft']) await page.keyboard.press(key)
  await page.waitForURL(/node-a%2F4\/3$/)
  t.equal(await lit.textContent(), 'acting')
  await sees(page, 'at step 3')
  await page.getByRole('button', { name: 'back to now' }).click()
  t.equal(await lit.textContent(), 'collecting')
})

t.test('an action is asked about first, sent, and its answer is shown', browserSkip, async t => {
  const [browser, server] = [await startBrowser(t), await serve(t)]
  const { page } = await browser.open()
  await page.goto(server.url)
  await page.getByRole('button', { name: 'pause' }).click()
  await page.getByRole('button', { name: 'drain' }).click()
  await page.getByRole('group', { name: 'drain' }).getByRole('button', { name: 'drain' }).click()
  await page.goto(server.url + links.actor('node-a/4'))
  await page.getByRole('button', { name: 'cancel' }).click()
  await page.getByRole('button', { name: 'leave it' }).click()
  await page.getByRole('button', { name: 'cancel' }).waitFor()
  t.same(server.actions, [{ do: 'pause', run: 'demo-1' }, { do: 'drain', node: 'node-a' }], 'what was left is not sent')
})

t.test('a lost connection is said, what is there stays, and all goes on by itself', browserSkip, async t => {
  const [browser, server] = [await startBrowser(t), await serve(t)]
  const { page } = await browser.open()
  await page.goto(server.url)
  await sees(page, 'Run demo-1 is playing')
  await server.stop()
  await sees(page, 'Not live: the connection was lost')
  await sees(page, 'Run demo-1 is playing')
  t.ok(await page.getByRole('button', { name: 'pause' }).isDisabled(), 'nothing can be done meanwhile')
  server.set(topics.cluster, { ...cluster, runs: [] })
  await server.start()
  await sees(page, 'Nothing is played now')
  t.equal(await page.getByText('Not live').count(), 0)
  t.ok(server.open().includes(topics.cluster), 'the topic is open again')
})

t.test('what is not there yet is shown as soon as it is', browserSkip, async t => {
  const [browser, server] = [await startBrowser(t), await serve(t)]
  const { page } = await browser.open()
  await page.goto(server.url + links.episode('demo-1', 'e0009'))
  await sees(page, 'nobody knows it')
  server.set(topics.episode('demo-1', 'e0009'), { ...episode, episode: 'e0009' })
  await sees(page, 'Lineage')
})

t.test('what nobody shows any more is closed', browserSkip, async t => {
  const [browser, server] = [await startBrowser(t), await serve(t)]
  const { page } = await browser.open()
  await page.goto(server.url + links.actors())
  await sees(page, 'attending.serving')
  t.ok(server.open().includes(topics.actors))
  await page.keyboard.press('4')
  await sees(page, 'Solve rate and validity')
  for (let tries = 0; tries < 100 && server.open().includes(topics.actors); tries++) await page.waitForTimeout(100)
  t.same(server.open().sort(), [topics.runs, topics.training('demo-1')])
})

t.test('a report is the same page in one file, without a connection', browserSkip, async t => {
  const browser = await startBrowser(t)
  const report: Report = { hello: { ...hello, source: 'folder', mayAct: false, now }, values, leftOut: 2 }
  const data = `<script type="application/json" id="${reportElement}">${JSON.stringify(report).replaceAll('<', '\\u003c')}</script>`
  const html = readPageFile('index.html')
    .replace(/<link rel="stylesheet"[^>]*>/, () => `<style>${readPageFile('app.css')}</style>`)
    .replace(/<script type="module"[^>]*><\/script>/, () => `${data}<script type="module">${readPageFile('app.js').replaceAll('</script', '<\\/script')}</script>`)
  const file = join(testFolder(t), 'report.html')
  writeFileSync(file, html)
  const { page, complaints } = await browser.open()
  for (const [hash, words] of [[links.run('demo-1'), 'rejected: inverse'], [links.episode('demo-1', 'e0001'), 'Lineage'], [links.rollout('demo-1', 'e0001.break'), 'exit 1'], [links.actor('node-a/9'), 'This report does not hold actor/node-a%2F9'], [links.actors(), 'This run is over']] as const) {
    await page.goto(pathToFileURL(file).href + hash)
    await sees(page, words)
  }
  t.equal(await page.getByRole('button', { name: 'pause' }).count(), 0)
  t.same(complaints, [])
})
