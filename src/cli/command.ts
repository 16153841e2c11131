// What every command of the CLI shares.

import { homedir } from 'node:os'
import { join, relative, resolve } from 'node:path'

export interface Io { out (line: string): void; err (line: string): void }
export type Command = (argv: string[], io: Io) => Promise<number>

export const exitNo = 1
export const exitUndecided = 2
export const exitUsage = 64
export const exitInterrupted = 130
/** As a shell says of a program that SIGPIPE ended. */
export const exitPipeClosed = 141

/** A folder as a person would type it from here. */
export const shownPath = (dir: string): string => relative(process.cwd(), dir) || '.'

/** Where arenas and sandboxes are kept: SPAR_HOME, else the user's cache folder. */
export function sparHome (): string {
  const { SPAR_HOME, XDG_CACHE_HOME } = process.env
  return resolve(SPAR_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'spar'))
}
