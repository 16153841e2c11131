// How a command reaches the bus: option, else environment, else the default.

import { systemClock } from '../clock.ts'
import { storeLimits } from '../bus/limits.ts'
import type { Bus } from '../bus/types.ts'
import { connectNats, type NatsOptions } from '../bus/nats.ts'
import { SparError } from '../errors.ts'
import { parseNumber, parseWhole } from '../run/options.ts'

export const natsOptionTypes = {
  nats: { type: 'string' }, 'nats-prefix': { type: 'string' }, 'nats-creds': { type: 'string' }, 'nats-nkey': { type: 'string' }, 'nats-user': { type: 'string' },
  'nats-ca': { type: 'string' }, 'nats-cert': { type: 'string' }, 'nats-key': { type: 'string' }, 'nats-replicas': { type: 'string' }, 'nats-store-gib': { type: 'string' }, 'no-ensure': { type: 'boolean' }, 'ack-wait-ms': { type: 'string' }
} as const

export const natsUsage = `  --nats nats://127.0.0.1:4222      servers, joined by commas (SPAR_NATS)      --nats-prefix spar
  --nats-creds file | --nats-nkey file | --nats-user name   (SPAR_NATS_CREDS, SPAR_NATS_NKEY; the password is SPAR_NATS_PASSWORD)
  --nats-ca file  --nats-cert file  --nats-key file          TLS (SPAR_NATS_CA, SPAR_NATS_CERT, SPAR_NATS_KEY)
  --nats-replicas 1  --nats-store-gib 27.25  --ack-wait-ms 30000   of streams that have to be made;  --no-ensure  makes none`

export type NatsValues = { [Name in keyof typeof natsOptionTypes]?: (typeof natsOptionTypes)[Name]['type'] extends 'boolean' ? boolean | undefined : string | undefined }

const defaultServer = 'nats://127.0.0.1:4222'

/** Throws OPTION_INVALID, and what `connectNats` rejects with. `onStatus` is told when the connection is lost and found. */
export async function openBus (values: NatsValues, name: string, onStatus?: NatsOptions['onStatus']): Promise<Bus> {
  const { env } = process
  const of = (option: 'nats' | 'nats-creds' | 'nats-nkey' | 'nats-ca' | 'nats-cert' | 'nats-key'): string | undefined => values[option] ?? (env[`SPAR_${option.toUpperCase().replace(/-/g, '_')}`] || undefined)
  const credentials = of('nats-creds')
  const nkey = of('nats-nkey')
  const user = values['nats-user']
  if ([credentials, nkey, user].filter(given => given !== undefined).length > 1) throw new SparError('OPTION_INVALID', 'Cannot use more than one of --nats-creds, --nats-nkey and --nats-user (or their environment variables)')
  const tls = Object.fromEntries((['ca', 'cert', 'key'] as const).flatMap(part => { const path = of(`nats-${part}`); return path === undefined ? [] : [[part, path]] }))
  return await connectNats({
    servers: readServers(of('nats') ?? defaultServer),
    name,
    clock: systemClock,
    ensure: values['no-ensure'] !== true,
    ...(values['nats-prefix'] === undefined ? {} : { prefix: values['nats-prefix'] }),
    ...(values['nats-replicas'] === undefined ? {} : { replicas: parseWhole('nats-replicas', values['nats-replicas'], 1, 5) }),
    ...(values['nats-store-gib'] === undefined ? {} : { limits: storeLimits(parseNumber('nats-store-gib', values['nats-store-gib'], 0.5, 1_000_000) * 2 ** 30) }),
    ...(values['ack-wait-ms'] === undefined ? {} : { ackWaitMs: parseWhole('ack-wait-ms', values['ack-wait-ms'], 200, 3_600_000) }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(nkey === undefined ? {} : { nkey }),
    ...(user === undefined ? {} : { user, password: env['SPAR_NATS_PASSWORD'] ?? '' }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(onStatus === undefined ? {} : { onStatus })
  })
}

function readServers (value: string): string[] {
  const servers = value.split(',').map(server => server.trim()).filter(server => server !== '')
  for (const server of servers) {
    if (!/^((nats|tls):\/\/)?[^\s/@]+(:\d+)?$/.test(server)) throw new SparError('OPTION_INVALID', `Cannot use --nats "${server.replace(/\/\/[^/@]*@/, '//…@')}": it takes addresses such as nats://host:4222, joined by commas. Credentials go into --nats-creds, --nats-nkey or --nats-user`)
  }
  if (servers.length === 0) throw new SparError('OPTION_INVALID', 'Cannot use an empty --nats: it takes addresses such as nats://host:4222')
  return servers
}
