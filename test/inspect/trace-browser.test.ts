// Goal: whoever has the trace of a simulation that broke a rule sees it at once, and finds what led there. Method: a version with a known
// defect is simulated with all faults; the real command serves what it wrote; Chromium.

import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Page } from 'playwright-core'
import type { TraceLine } from '../../src/simulation/trace.ts'
import { browserSkip, seriousFindings, startBrowser } from '../helpers/browser.ts'
import { buildFailing } from '../helpers/failing-simulation.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

/** The command, until the test is over; resolves to the address that it says. */
function inspect (t: Test, file: string, dir: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const ran = spar(['inspect', '--trace', file, '--listen', '127.0.0.1:0'], { home: dir, cwd: dir, onErr: (text, child) => {
      said += text
      const url = /Inspect: (\S+)/.exec(said)?.[1]
      if (url === undefined) return
      t.teardown(async () => {
        child.kill('SIGINT')
        await ran
      })
      resolve(url)
    } })
    void ran.then(({ code, err }) => reject(new Error(`it has ended with ${code}: ${err}`)))
  })
}

const sees = (page: Page, words: string | RegExp): Promise<unknown> => page.getByText(words).first().waitFor({ timeout: 20_000 })
const rows = '.traceline'

t.test('a failed simulation is looked at', { ...browserSkip, timeout: 300_000 }, async t => {
  const browser = await startBrowser(t)
  const dir = testFolder(t)
  const failing = await buildFailing(dir, 'a bug that nobody solves is rewarded')
  await failing.run(['--seed', '2', '--nodes', '3', '--episodes', '6', '--faults', 'all', '--no-shrink', '--trace', join(dir, 't.jsonl')])
  const lines = readFileSync(join(dir, 't.jsonl'), 'utf8').trim().split('\n').map(line => JSON.parse(line) as TraceLine)
  const broken = lines.find(({ who }) => who === 'checker')!
  const work = /e\d+\.[a-z]+(?:\.\d+)*/.exec(broken.detail)![0]
  const about = lines.filter(({ who, what, detail }) => detail.split(/[ #]/).some(word => word === work || word.includes(`.${work}`)) && (who === 'checker' || what !== 'queue.working'))
  const hostile: TraceLine = { ms: lines.at(-1)!.ms, who: 'n9<b>-1', what: '<img src=x onerror=alert(1)>', detail: '\u001b[31m\u202e</textarea><script>document.title="owned"</script>' }
  appendFileSync(join(dir, 't.jsonl'), JSON.stringify(hostile) + '\n')
  lines.push(hostile)
  const url = await inspect(t, join(dir, 't.jsonl'), dir)

  const { page, complaints } = await browser.open({ height: 900 })
  await page.goto(url)
  t.equal(await page.locator('h1').innerText(), `${broken.what} ${broken.detail}`, 'the first broken rule is on top')
  t.equal(await page.locator('.vrow.selected').innerText().then(text => text.includes(broken.detail)), true, 'and chosen')
  t.equal(await page.locator('.badge.lit').innerText(), work)
  t.ok(await page.locator(rows).count() > 3 && (await page.locator(rows).allInnerTexts()).every(text => text.includes(work)), 'with all that is about it')
  await sees(page, `${about.length.toLocaleString('en')} of ${lines.length.toLocaleString('en')} lines`)
  t.same(await seriousFindings(page), [], 'axe')
  await browser.shot(page, 'trace-light')

  // What is lit goes, and comes back with its episode.
  await page.keyboard.press('Escape')
  await page.locator('.badge.lit').waitFor({ state: 'detached' })
  await page.keyboard.press('e')
  await page.locator('.badge.lit', { hasText: /^e\d+$/ }).waitFor()
  await page.keyboard.press('0')
  await browser.shot(page, 'trace-episode')
  await page.keyboard.press('Escape')

  // Filters: a word, a process, a kind of lines.
  const shownCount = async (): Promise<number> => Number((await page.locator('.said .muted').innerText()).split(' ')[0]!.replaceAll(',', ''))
  const isRoutine = ({ what }: TraceLine): boolean => /^(nodes\.(put|get|remove)|queue\.(working|depth|subjects)|samples\.places?|signal|arenas)\+?$/.test(what)
  t.equal(await shownCount(), lines.filter(line => !isRoutine(line)).length, 'routine is hidden at first')
  await page.getByRole('button', { name: 'routine' }).click()
  await sees(page, new RegExp(`^${lines.length.toLocaleString('en')} lines`))
  await page.keyboard.press('r')
  await page.getByLabel('what').selectOption('crashed')
  await page.getByLabel('who').selectOption('n2')
  const crashes = lines.filter(({ who, what }) => what === 'crashed' && who.startsWith('n2-'))
  t.ok(crashes.length > 0)
  t.equal(await shownCount(), crashes.length)
  await page.locator(rows).first().click()
  t.match(await page.locator('.chosen').innerText(), new RegExp(`${crashes[0]!.who}\\s+crashed`))
  await page.getByLabel('what').selectOption('')
  await page.getByLabel('who').selectOption('')

  // What stands in a trace is text.
  await page.getByLabel('Search lines').fill('owned')
  await page.locator(rows).click()
  await page.locator('.chosen', { hasText: '<img src=x onerror=alert(1)>' }).waitFor()
  t.same(await page.evaluate('({ elements: document.querySelectorAll("main img, main script, main b b").length, title: document.title, hidden: /[\\u001b\\u202e]/.test(document.body.innerText) })'), { elements: 0, title: 'trace · Spar', hidden: false })
  await page.getByLabel('Search lines').fill('')
  await page.keyboard.press('Escape')
  await page.getByLabel('what').selectOption('crashed')
  await page.locator(rows, { hasText: crashes[0]!.who }).first().click()
  await page.getByLabel('what').selectOption('')

  // A mark in the picture is chosen in the list: the crash, which is where the crosshair stands.
  await page.locator('.virtual').focus()
  await page.keyboard.press('j')
  await page.keyboard.press('+')
  t.notMatch(await page.locator('.chosen').innerText(), /crashed/)
  const crosshair = await page.locator('.lanesbox').boundingBox()
  await page.waitForTimeout(600)
  const window = new URLSearchParams(page.url().replace(/.*\?/, ''))
  const gutter = 92
  const [from, to] = [Number(window.get('from')), Number(window.get('to'))]
  const x = gutter + (crashes[0]!.ms - from) / (to - from) * (crosshair!.width - gutter - 16)
  await page.mouse.click(crosshair!.x + x, crosshair!.y + 24 + 28 + 46 + 40 + 12)
  await page.locator('.chosen', { hasText: 'crashed' }).waitFor()
  t.match(await page.locator('.vrow.selected').innerText(), new RegExp(`${crashes[0]!.who}\\s+crashed`))

  // Wheel and drag move in time.
  await page.mouse.move(crosshair!.x + 500, crosshair!.y + 150)
  await page.mouse.wheel(0, -600)
  await page.mouse.down()
  await page.mouse.move(crosshair!.x + 640, crosshair!.y + 150, { steps: 5 })
  await page.mouse.up()
  await page.waitForTimeout(500)
  const link = page.url()
  t.match(link, /#\/trace\?from=\d+&to=\d+&line=\d+/)
  await browser.shot(page, 'trace-close')
  t.same(complaints, [])

  for (const [kind, options] of [['dark', { scheme: 'dark', height: 900 }], ['phone', { width: 390, height: 844 }]] as const) {
    const { page, complaints } = await browser.open(options)
    await page.goto(kind === 'dark' ? link : url)
    await page.locator('.vrow.selected').waitFor()
    if (kind === 'dark') t.match(await page.locator('.chosen').innerText(), new RegExp(`${crashes[0]!.who}\\s+crashed`), 'an address holds what is chosen')
    t.same(await seriousFindings(page), [], `${kind}: axe`)
    t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${kind}: nothing stands out to the side`)
    await browser.shot(page, `trace-${kind}`)
    t.same(complaints, [], kind)
    await page.close()
  }
})
