// A run as one HTML file: the page with its script and its styles in it, and the values of its topics as data. What a policy wrote is
// in the data alone, where nothing of it can end the element or be a script; the file's own policy lets no other script run.

import { createHash } from 'node:crypto'
import { SparError } from '../errors.ts'
import { failureOf } from './failure.ts'
import { inspectLimits, type InspectLimits } from './limits.ts'
import type { PageFile } from './page-files.ts'
import { reportElement, topics, type EpisodesView, type EpisodeView, type Hello, type MachineView, type RolloutView, type RunRow } from './protocol.ts'
import { readValue, type Source } from './source.ts'

export interface ReportOptions { source: Source; hello: Hello; page: ReadonlyMap<string, PageFile>; machines: readonly MachineView[]; limits?: Partial<InspectLimits> }

export interface Report { html: string; topics: number; leftOut: number }

/** Throws INSPECT_NO_PAGE where the page was not built. */
export async function writeReport ({ source, hello, page, machines, limits }: ReportOptions): Promise<Report> {
  const { reportBytesMax, callMsMax } = { ...inspectLimits, ...limits }
  const values: string[] = []
  let bytes = 0
  let leftOut = 0
  const keep = (topic: string, value: unknown): void => {
    const entry = `${JSON.stringify(topic)}:${JSON.stringify(value)}`
    bytes += Buffer.byteLength(entry)
    if (bytes > reportBytesMax) {
      bytes -= Buffer.byteLength(entry)
      leftOut++
    } else values.push(entry)
  }
  const take = async <Value>(topic: string): Promise<Value | null> => {
    try {
      const value = await readValue(source, topic, callMsMax)
      keep(topic, value)
      return value as Value
    } catch (error) {
      // Of work that infrastructure took there is nothing to show.
      if (failureOf(error).code !== 'INSPECT_NOT_FOUND') leftOut++
      return null
    }
  }
  await take(topics.cluster)
  for (const view of machines) keep(topics.machine(view.machine), view)
  const episodes: EpisodeView[] = []
  for (const { run } of await take<RunRow[]>(topics.runs) ?? []) {
    await take(topics.training(run))
    for (const { episode } of (await take<EpisodesView>(topics.episodes(run)))?.rows ?? []) {
      const view = await take<EpisodeView>(topics.episode(run, episode))
      if (view !== null) episodes.push(view)
    }
  }
  // What is largest comes last, so that it is what is left out.
  for (const { run, breaker, lineage } of episodes) {
    for (const row of [breaker, ...lineage.flatMap(({ attempts }) => attempts.map(({ rollout }) => rollout))]) if (row?.hasRecord) await takeRollout(run, row.rollout, take)
  }
  const data = `{"hello":${JSON.stringify(hello)},"values":{${values.join(',')}},"leftOut":${leftOut}}`
  return { html: htmlOf(page, data), topics: values.length, leftOut }
}

async function takeRollout (run: string, rollout: string, take: <Value>(topic: string) => Promise<Value | null>): Promise<void> {
  const first = await take<RolloutView>(topics.rollout(run, rollout))
  if (first === null) return
  for (let page = 1; page < first.pages; page++) await take(topics.rollout(run, rollout, page))
  for (const { n } of first.segments) {
    const tokens = await take<{ pages: number }>(topics.tokens(run, rollout, n))
    for (let page = 1; page < (tokens?.pages ?? 0); page++) await take(topics.tokens(run, rollout, n, page))
  }
}

function htmlOf (page: ReadonlyMap<string, PageFile>, data: string): string {
  const file = (name: string): string => {
    const found = page.get(name)
    if (found === undefined) throw new SparError('INSPECT_NO_PAGE', `Cannot write a report: the page has no ${name}. Build it: npm run build`)
    return found.bytes.toString('utf8')
  }
  const script = scriptText(file('/app.js'))
  const style = file('/app.css').replace(/<\/style/gi, '<\\/style')
  const policy = `default-src 'none'; script-src '${hashOf(script)}'; style-src '${hashOf(style)}'; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'`
  const parts: [RegExp, string][] = [
    [/<link\b[^>]*\bhref="(?:\.?\/)?app\.css"[^>]*>/, `<style>${style}</style>`],
    [/<script\b[^>]*\bsrc="(?:\.?\/)?app\.js"[^>]*><\/script>/, `<script type="application/json" id="${reportElement}">${jsonText(data)}</script>\n<script type="module">${script}</script>`],
    [/<head>/, `<head>\n<meta http-equiv="content-security-policy" content="${policy}">`]
  ]
  // Texts go in by a function: a `$` in them stands for itself.
  return parts.reduce((html, [place, text]) => {
    if (!place.test(html)) throw new SparError('INSPECT_NO_PAGE', `Cannot write a report: index.html of the page has no ${place.source}`)
    return html.replace(place, () => text)
  }, file('/index.html'))
}

const hashOf = (text: string): string => `sha256-${createHash('sha256').update(text).digest('base64')}`

/** JSON in an element of HTML: nothing in it begins a tag or a comment. Its value stays the same. */
export const jsonText = (json: string): string => json.replace(/[<>&\u2028\u2029]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** A script in an element of HTML; these can only stand in texts and patterns of it, where a backslash changes nothing. */
const scriptText = (script: string): string => script.replace(/<\/(?=script)/gi, '<\\/').replace(/<(?=script)/gi, '\\x3C')
