// Releases of a Python package from the index that pip is configured for, by the simple repository API (JSON, or HTML where
// the index has no JSON). Only source distributions, because wheels leave the tests out; each is checked against the
// hash that the index states. pip itself is not asked to download them: it would run their build.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import { Agent, EnvHttpProxyAgent, request, type Dispatcher } from 'undici'
import { SparError } from '../errors.ts'
import type { ArenaLimits } from './limits.ts'
import { pipSettings, selectVersions } from './python-host.ts'

export interface SourceRelease {
  version: string
  date: string
  url: string
  sha256: string | null
}

interface IndexFile { filename: string; url: string; hashes?: Record<string, string>; 'upload-time'?: string; yanked?: boolean | string }

const redirectsMax = 5
const accept = 'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1'

export interface PythonIndex {
  releases (name: string, range: string): Promise<SourceRelease[]>
  download (name: string, release: SourceRelease): Promise<Uint8Array>
  close (): Promise<void>
}

export async function openIndex (limits: ArenaLimits): Promise<PythonIndex> {
  const { index, certificates, silenceMsMax } = await pipSettings(limits)
  const ca = certificates === null ? null : [...rootCertificates, await readFile(certificates, 'utf8').catch(() => '')]
  const connect = { timeout: silenceMsMax, ...ca === null ? {} : { ca } }
  const silence = { headersTimeout: silenceMsMax, bodyTimeout: silenceMsMax }
  const hasProxy = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].some(name => process.env[name])
  const dispatcher = hasProxy ? new EnvHttpProxyAgent({ ...silence, connect, ...ca === null ? {} : { requestTls: { ca } } }) : new Agent({ ...silence, connect })
  const get = (url: string, bytesMax: number, what: string): Promise<Page> => fetchPage(url, bytesMax, what, dispatcher, limits)

  return {
    releases: async (name, range) => {
      const url = `${index.replace(/\/+$/, '')}/${normalise(name)}/`
      const page = await get(url, 64 * 2 ** 20, name)
      if (page.status === 404) throw new SparError('ARENA_NO_SUCH_PACKAGE', `Cannot open pypi:${name}: the index has no such package`)
      if (page.status !== 200) throw unreachable(name, `it answers with status ${page.status}`)
      return choose(name, range, sourceFiles(name, page), limits)
    },
    download: async (name, release) => {
      const what = `${name} ${release.version}`
      const page = await get(release.url, limits.downloadBytesMax, what)
      if (page.status !== 200) throw unreachable(what, `it answers with status ${page.status}`)
      const digest = createHash('sha256').update(page.body).digest('hex')
      if (release.sha256 !== null && digest !== release.sha256) {
        throw new SparError('ARENA_BAD_ARCHIVE', `Cannot take ${what}: its sha256 is ${digest}, the index states ${release.sha256}`)
      }
      return page.body
    },
    close: () => dispatcher.close()
  }
}

const normalise = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, '-')

interface Page { status: number; url: string; type: string; body: Buffer }

async function fetchPage (url: string, bytesMax: number, what: string, dispatcher: Dispatcher, limits: ArenaLimits): Promise<Page> {
  let at = new URL(url)
  try {
    for (let redirects = 0; redirects <= redirectsMax; redirects++) {
      if (at.protocol !== 'https:' && at.protocol !== 'http:') throw new Error(`it leads to ${at.protocol}`)
      const headers: Record<string, string> = { accept }
      if (at.username !== '') headers['authorization'] = `Basic ${Buffer.from(`${decodeURIComponent(at.username)}:${decodeURIComponent(at.password)}`).toString('base64')}`
      const target = new URL(at)
      target.username = target.password = ''
      const response = await request(target, { dispatcher, headers, signal: AbortSignal.timeout(limits.fetchMsMax) })
      const location = response.headers['location']
      if (response.statusCode >= 300 && response.statusCode < 400 && typeof location === 'string') {
        await response.body.dump()
        const next = new URL(location, at)
        // Credentials go to the host that they are for.
        if (next.host === at.host) Object.assign(next, { username: at.username, password: at.password })
        at = next
        continue
      }
      const chunks: Buffer[] = []
      let size = 0
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > bytesMax) throw new SparError('ARENA_BAD_ARCHIVE', `Cannot take ${what}: it is larger than downloadBytesMax = ${bytesMax}`)
        chunks.push(chunk)
      }
      return { status: response.statusCode, url: target.href, type: String(response.headers['content-type'] ?? ''), body: Buffer.concat(chunks) }
    }
    throw new Error(`it redirects more than ${redirectsMax} times`)
  } catch (error) {
    if (error instanceof SparError) throw error
    throw unreachable(what, error instanceof Error ? error.message || String((error as { code?: string }).code) : String(error), error)
  }
}

function unreachable (what: string, why: string, cause?: unknown): SparError {
  return new SparError('ARENA_REGISTRY_UNREACHABLE', `Cannot ask the Python index about ${what}: ${why}. Check the network and pip's own configuration (pip config list)`, { retryable: true, cause })
}

function sourceFiles (name: string, page: Page): Map<string, SourceRelease> {
  const files = page.type.includes('json') ? readJson(name, page.body.toString('utf8')) : readHtml(page.body.toString('utf8'))
  const found = new Map<string, SourceRelease>()
  for (const file of files) {
    const base = /^(.*)\.(?:tar\.gz|tgz)$/.exec(file.filename)?.[1]
    if (base === undefined || (file.yanked !== undefined && file.yanked !== false)) continue
    // Older names hold dashes where newer ones have underscores: the version is what follows the name.
    const dash = [...base.matchAll(/-/g)].map(match => match.index).find(index => normalise(base.slice(0, index)) === normalise(name) && /^-v?\d/.test(base.slice(index)))
    if (dash === undefined) continue
    const version = base.slice(dash + 1)
    found.set(version, { version, date: file['upload-time'] ?? '', url: new URL(file.url, page.url).href, sha256: file.hashes?.['sha256'] ?? null })
  }
  return found
}

function readJson (name: string, text: string): IndexFile[] {
  try {
    return (JSON.parse(text) as { files: IndexFile[] }).files.filter(file => typeof file.filename === 'string' && typeof file.url === 'string')
  } catch (error) {
    throw unreachable(name, `its answer is no list of files (${(error as Error).message})`, error)
  }
}

/** Anchors of the HTML form: the hash stands behind # in the link. */
function readHtml (html: string): IndexFile[] {
  const plain = (text: string): string => text.replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"')
  return [...html.matchAll(/<a\s([^>]*)>([^<]*)<\/a>/gi)].flatMap(([, tags = '', label = '']) => {
    const href = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(tags)
    if (href === null) return []
    const [url = '', fragment = ''] = plain(href[1] ?? href[2] ?? '').split('#')
    const sha256 = /^sha256=([0-9a-f]{64})$/.exec(fragment)?.[1]
    return [{ filename: plain(label).trim(), url, hashes: sha256 === undefined ? {} : { sha256 }, yanked: /\bdata-yanked\b/i.test(tags) }]
  })
}

async function choose (name: string, range: string, found: Map<string, SourceRelease>, limits: ArenaLimits): Promise<SourceRelease[]> {
  const { versions, error } = await selectVersions([...found.keys()], range, limits)
  if (error !== null) throw new SparError('OPTION_TARGET', `Cannot read target "pypi:${name}@${range}": ${error}. A range is written as pip writes it, for instance >=2.0,<2.3`)
  if (versions.length === 0) throw new SparError('ARENA_NO_RELEASES', `Cannot open pypi:${name}@${range}: no release with a source archive (.tar.gz) is in that range. pip index versions ${name} lists the releases`)
  return versions.slice(-limits.releasesMax).map((version, index) => {
    const release = found.get(version)!
    return { ...release, date: release.date || new Date(index * 86_400_000).toISOString() }
  })
}
