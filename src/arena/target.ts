// What the user can name as a target, and how it is told apart.

import { existsSync, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { SparError } from '../errors.ts'

export type Target =
  | { kind: 'path'; path: string }
  /** `ref`: branch, tag or commit id; null is the remote's HEAD. */
  | { kind: 'git'; url: string; ref: string | null }
  /** `range` is the registry's own notation, `*` when none was given. */
  | { kind: 'npm' | 'pypi'; package: string; range: string }
  | { kind: 'docker'; image: string; path: string }

export function parseTarget (text: string): Target {
  if (text === '') throw bad(text, 'it is empty')
  if (text.startsWith('npm:')) return parseRelease('npm', text, text.slice(4))
  if (text.startsWith('pypi:')) return parseRelease('pypi', text, text.slice(5))
  if (text.startsWith('docker:')) return parseDocker(text, text.slice(7))
  if (/^(https?|ssh|git|file|git\+\w+):\/\//.test(text)) return parseUrl(text)
  // The short form of ssh, user@host:path; what exists as a folder is a folder.
  if (!existsSync(text) && /^[\w.-]+@[\w.-]+:(?!\/\/)/.test(text)) return parseUrl(text)
  const path = resolve(text)
  if (!existsSync(path)) throw new SparError('ARENA_NOT_A_REPOSITORY', `Cannot open "${text}": there is no such folder. Targets are a git repository, a git URL, npm:name@range, pypi:name@range or docker:image#/path`)
  if (!statSync(path).isDirectory()) throw new SparError('ARENA_NOT_A_REPOSITORY', `Cannot open "${text}": it is a file, not a git repository`)
  return { kind: 'path', path }
}

function bad (text: string, why: string): SparError {
  return new SparError('OPTION_TARGET', `Cannot read target "${text}": ${why}. Targets are a git repository, a git URL, npm:name@range, pypi:name@range or docker:image#/path`)
}

function parseRelease (kind: 'npm' | 'pypi', text: string, rest: string): Target {
  const pattern = kind === 'npm' ? /^((?:@[a-z0-9][\w.~-]*\/)?[A-Za-z0-9][\w.~-]*)(?:@(.+))?$/ : /^([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)(?:@(.+)|\s*([=<>!~].*))?$/
  const match = pattern.exec(rest.trim())
  if (match === null) throw bad(text, `"${rest}" is no package name with a range`)
  const range = (match[2] ?? match[3] ?? '*').trim()
  if (range.startsWith('-') || /[\n\r\0]/.test(range)) throw bad(text, `"${range}" is no range of versions`)
  return { kind, package: match[1]!, range }
}

function parseDocker (text: string, rest: string): Target {
  const hash = rest.lastIndexOf('#')
  const image = hash === -1 ? rest : rest.slice(0, hash)
  const path = hash === -1 ? '' : rest.slice(hash + 1)
  if (image === '' || image.startsWith('-') || /\s/.test(image)) throw bad(text, 'the name of the image is missing')
  if (!path.startsWith('/') || path.split('/').includes('..') || path.includes('\0')) throw bad(text, 'the absolute path of the tree inside of the image is missing behind #')
  return { kind: 'docker', image, path: path.length > 1 ? path.replace(/\/+$/, '') : path }
}

/** `@ref` stands behind the path of the URL; an `@` before it belongs to the user's name. */
function parseUrl (text: string): Target {
  const start = text.includes('://') ? text.indexOf('/', text.indexOf('://') + 3) : text.indexOf(':')
  const at = text.lastIndexOf('@')
  const hasRef = start !== -1 && at > start
  const url = (hasRef ? text.slice(0, at) : text).replace(/^git\+/, '')
  const ref = hasRef ? text.slice(at + 1) : null
  if (ref !== null && (ref === '' || ref.startsWith('-') || /[\s~^:?*[\\]|\.\./.test(ref))) throw bad(text, `"${ref}" is no branch, tag or commit`)
  return { kind: 'git', url, ref }
}

/** `owner__name` or `name`, safe in file names. */
export function nameOf (target: Target): string {
  const parts = target.kind === 'path'
    ? [basename(target.path)]
    : target.kind === 'git'
      ? target.url.replace(/\.git\/?$/, '').split(/[/:]/).filter(part => part !== '').slice(-2)
      : target.kind === 'docker' ? [target.image.replace(/@.*$/, '').split('/').at(-1)!, basename(target.path)] : target.package.replace(/^@/, '').split('/')
  const safe = parts.map(part => part.normalize('NFC').replace(/[^\w.-]+/g, '-').replace(/^[.-]+|[.-]+$/g, '')).filter(part => part !== '')
  return safe.join('__') || 'target'
}
