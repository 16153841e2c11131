// How the page is served, for every command that serves it: option, else environment, else the default.

import { machineViews } from '../../actors/definitions.ts'
import { systemClock } from '../clock.ts'
import { serveGateway, type Gateway } from '../inspect/gateway.ts'
import { listenAt, type Listening } from '../inspect/listening.ts'
import { createSource, type Source, type SourceParts } from '../inspect/source.ts'
import type { Io } from './command.ts'
import { neutral } from './terminal.ts'
import { version } from './version.ts'

export const inspectOptionTypes = { token: { type: 'string' }, 'act-token': { type: 'string' }, 'allow-actions': { type: 'boolean' } } as const

export const inspectUsage = `  --token t                who has it may look; needed for any address but loopback (SPAR_INSPECT_TOKEN). Open /?token=t
  --allow-actions          whoever may look may act: pause, cancel, drain;  --act-token t  who has this one may (SPAR_INSPECT_ACT_TOKEN)`

export interface InspectValues { token?: string | undefined; 'act-token'?: string | undefined; 'allow-actions'?: boolean | undefined }

export const inspectAtDefault = '127.0.0.1:8322'

/** `--inspect` alone serves at the default: what stands behind it is another argument. */
export const withInspectAt = (argv: readonly string[]): string[] => argv.map(argument => argument === '--inspect' ? `--inspect=${inspectAtDefault}` : argument)

export const createOwnSource = (parts: Omit<SourceParts, 'machines' | 'clock'>): Source => createSource({ ...parts, machines: machineViews, clock: systemClock })

export function tokensOf (values: InspectValues): { token: string | null; actToken: string | null } {
  const { env } = process
  return { token: values.token ?? (env['SPAR_INSPECT_TOKEN'] || null), actToken: values['act-token'] ?? (env['SPAR_INSPECT_ACT_TOKEN'] || null) }
}

/** Throws OPTION_INVALID, OPTION_MISSING and INSPECT_HTTP: before anything is there to be shown. */
export async function listenForPage (at: string, option: '--listen' | '--inspect', values: InspectValues): Promise<Listening> {
  const { token, actToken } = tokensOf(values)
  return await listenAt({ at, option, access: { token, actToken, actions: values['allow-actions'] === true || actToken !== null } })
}

/** Serves the page, and says where. */
export function servePage (source: Source, listening: Listening, io: Pick<Io, 'err'>): Gateway {
  const gateway = serveGateway({ source, listening, clock: systemClock, version: version(), onAct: what => io.err(`inspection: ${neutral(what)}`) })
  io.err(`Inspect: ${gateway.url}${listening.access.token === null ? '' : '?token=…'}`)
  return gateway
}
