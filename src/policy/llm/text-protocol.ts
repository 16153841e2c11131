// Tool calls as text, for servers that know of no tools: `<tool: name>`, a body, `</tool>`. One call a reply, and nothing
// behind it. A tag counts only where it has its line to itself, so that a body may speak of tags; a body ends at the last
// closing tag.

import type { Role } from '../../domain.ts'
import { fault, readCall, submitFiles, type CallRead } from './tools.ts'

/** How the submit of a role is written, for the prompt. */
export const submitForm = (role: Role): string =>
  `<tool: submit>\n${role === 'breaker' ? Object.keys(submitFiles).map(name => `${name}: path of the file\n`).join('') : ''}</tool>`

export function readTextCall (role: Role, reply: string): CallRead {
  const lines = reply.split('\n')
  const opening = lines.findIndex(line => openTag.test(line))
  if (opening === -1) return fault('the reply called no tool; end it with one call of the form "<tool: name>", its content and "</tool>", each tag on a line of its own')
  const closing = lines.findLastIndex(line => line.trim() === '</tool>')
  if (closing <= opening) return fault('the call has no end: "</tool>" on a line of its own is missing')
  if (lines.slice(closing + 1).some(line => line.trim() !== '')) return fault('something follows the call; a reply ends with its call')
  const name = openTag.exec(lines[opening]!)![1]!
  const second = lines.findIndex((line, index) => index > opening && index < closing && line.trim() === '</tool>')
  if (second !== -1 && lines.slice(second + 1, closing).some(line => openTag.test(line))) return fault('the reply called more than one tool; call exactly one')
  return readBody(role, name, lines.slice(opening + 1, closing))
}

const openTag = /^\s*<tool: *([a-z_]+) *>\s*$/

function readBody (role: Role, name: string, body: string[]): CallRead {
  switch (name) {
    case 'bash': return readCall(role, name, { command: body.join('\n') })
    case 'create': return body.length === 0 ? fault('create needs the path of the file on its first line') : readCall(role, name, { path: body[0]!.trim(), content: body.slice(1).map(line => `${line}\n`).join('') })
    case 'edit': return readEdit(role, body)
    case 'submit': return readSubmit(role, body)
    default: return readCall(role, name, {})
  }
}

function readEdit (role: Role, [path = '', ...rest]: string[]): CallRead {
  const search = rest.indexOf('<<<<<<< SEARCH')
  const middle = rest.indexOf('=======', search + 1)
  const replace = rest.lastIndexOf('>>>>>>> REPLACE')
  if (path.trim() === '' || search !== 0) return fault('edit needs the path of the file on its first line and "<<<<<<< SEARCH" on the second')
  if (middle === -1 || replace < middle) return fault('edit needs "=======" between the lines to search for and those to put there, and ">>>>>>> REPLACE" at the end')
  return readCall(role, 'edit', { path: path.trim(), search: lineText(rest.slice(1, middle)), replace: lineText(rest.slice(middle + 1, replace)) })
}

const lineText = (lines: string[]): string => lines.map(line => `${line}\n`).join('')

function readSubmit (role: Role, body: string[]): CallRead {
  const entries = body.filter(line => line.trim() !== '').map(line => /^\s*([a-z_]+) *: *(.*?)\s*$/.exec(line))
  if (entries.some(entry => entry === null)) return fault('submit takes lines of the form "name: path"')
  return readCall(role, 'submit', Object.fromEntries(entries.map(entry => [entry![1]!, entry![2]!])))
}
