// Lines of a patch's text, found by offset. Only a newline ends a line: a carriage return is content.

import { SparError } from '../errors.ts'

/** The line without its newline. */
export function lineAt (text: string, at: number): string {
  const end = text.indexOf('\n', at)
  return text.slice(at, end === -1 ? text.length : end)
}

export function nextLine (text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end === -1 ? text.length : end + 1
}

export function malformed (text: string, at: number, what: string): SparError {
  return new SparError('PATCH_MALFORMED', `Cannot read the patch: ${what}, at byte ${at}${text === '' ? '' : `: ${lineAt(text, at).slice(0, 120)}`}`)
}
