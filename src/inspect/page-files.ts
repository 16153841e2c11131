// The files of the page: read once, and served from memory. Nothing else of the disk can be asked for.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface PageFile { type: string; bytes: Buffer }

const types: Record<string, string> = {
  html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml', png: 'image/png', ico: 'image/x-icon', woff2: 'font/woff2', map: 'application/json', json: 'application/json'
}

/** Where the page is built to, beside this file. */
export const pageFolder = fileURLToPath(new URL('page', import.meta.url))

/** By path: `/app.js`; `/` is `index.html`. */
export function readPage (folder = pageFolder): Map<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const type = types[name.slice(name.lastIndexOf('.') + 1)]
    if (type !== undefined) files.set(`/${name}`, { type, bytes: readFileSync(join(folder, name)) })
  }
  const index = files.get('/index.html')
  if (index !== undefined) files.set('/', index)
  return files
}

export const contentSecurityPolicy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"
].join('; ')

export const securityHeaders = {
  'content-security-policy': contentSecurityPolicy, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-resource-policy': 'same-origin', 'cross-origin-opener-policy': 'same-origin', 'cache-control': 'no-store'
}
