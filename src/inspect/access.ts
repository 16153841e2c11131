// Who may look, and who may act. On loopback anybody on this machine may look, but no page of another site: neither by a name that was
// made to point here (DNS rebinding), nor by a WebSocket that a browser opens for whoever asks. On any other address a token is needed.
// Acting needs a permission of its own.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { SparError } from '../errors.ts'

export interface AccessOptions {
  /** The address that is listened on. */
  host: string
  /** The port that is listened on: the cookies of a host are the same on all its ports, so ours has it in its name. */
  port: number
  /** Who has it may look; null: none is needed. */
  token: string | null
  /** Who has it may act too; null: whoever may look. */
  actToken: string | null
  /** Whether anybody may act at all. */
  actions: boolean
}

export interface Access { mayLook: boolean; mayAct: boolean }

export const tokenBytesMin = 16
const tokenBytesMax = 512
const cookieName = (port: number): string => `spar-inspect-${port}`

/** Throws OPTION_MISSING for an address of the network without a token, OPTION_INVALID for a token that is easily guessed. */
export function checkAccess ({ host, token, actToken }: Omit<AccessOptions, 'port'>): void {
  if (!isLoopback(host) && token === null) throw new SparError('OPTION_MISSING', `Cannot listen on ${host} without a token: whoever reaches it would read everything. Give --token or SPAR_INSPECT_TOKEN, or listen on 127.0.0.1`)
  for (const given of [token, actToken]) {
    if (given !== null && (Buffer.byteLength(given) < tokenBytesMin || Buffer.byteLength(given) > tokenBytesMax || !/^[\x21-\x7e]+$/.test(given))) {
      throw new SparError('OPTION_INVALID', `Cannot use that token: it takes ${tokenBytesMin} to ${tokenBytesMax} characters of ASCII without blanks, such as those of: openssl rand -hex 24`)
    }
  }
}

export const isLoopback = (host: string): boolean => {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'))
}

/** What a request may. A request whose Host or Origin is not ours may nothing, whatever it brings. */
export function accessOf ({ headers }: Pick<IncomingMessage, 'headers'>, options: AccessOptions): Access {
  if (!isOurs(headers, options)) return { mayLook: false, mayAct: false }
  const given = givenToken(headers, options.port)
  const isActor = options.actToken !== null && isSame(given, options.actToken)
  const mayLook = options.token === null || isActor || isSame(given, options.token)
  return { mayLook, mayAct: options.actions && mayLook && (options.actToken === null || isActor) }
}

/** Whether a token that came in the address is to be kept: it is one of ours, and no page of another site had it opened. */
export const mayEnter = ({ headers }: Pick<IncomingMessage, 'headers'>, given: string, options: AccessOptions): boolean =>
  isOurs(headers, options) && [options.token, options.actToken].some(token => token !== null && isSame(given, token))

const isOurs = ({ host, origin }: IncomingMessage['headers'], options: AccessOptions): boolean => isOurHost(host, options) && isOurOrigin(origin, host)

/** A browser names the site in the address; a name of somebody else's that leads here is not ours. */
function isOurHost (host: string | undefined, { host: listened, token }: AccessOptions): boolean {
  if (host === undefined) return false
  // With a token a browser of another site is stopped by its cookie, and names of a network are many.
  if (token !== null && !isLoopback(listened)) return true
  const name = host.replace(/:\d+$/, '')
  return isLoopback(name) || name === listened
}

/** Programs send none. */
function isOurOrigin (origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true
  try {
    return new URL(origin).host === host
  } catch {
    return false
  }
}

function givenToken ({ authorization, cookie }: IncomingMessage['headers'], port: number): string {
  const bearer = /^Bearer ([\x21-\x7e]{1,512})$/.exec(authorization ?? '')?.[1]
  const kept = new RegExp(`(?:^|; )${cookieName(port)}=([^;]{1,1600})`).exec(cookie ?? '')?.[1]
  if (bearer !== undefined) return bearer
  try {
    return decodeURIComponent(kept ?? '')
  } catch {
    return ''
  }
}

/** In a time that says nothing of where they differ, or of their lengths. */
function isSame (given: string, wanted: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(given), hash(wanted))
}

/** For whoever comes with a token in the address: it goes where no history and no log keeps it. */
export const cookieOf = (token: string, port: number): string => `${cookieName(port)}=${encodeURIComponent(token)}; HttpOnly; SameSite=Strict; Path=/`
