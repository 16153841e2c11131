// `spar policy`: which weights of a model are served, told to every node of the cluster and read back.

import { parseArgs } from 'node:util'
import { announcePolicy, listPolicies } from '../cluster/policy-versions.ts'
import { systemClock } from '../clock.ts'
import { SparError } from '../errors.ts'
import type { Io } from './command.ts'
import { natsOptionTypes, natsUsage, openBus, type NatsValues } from './nats-options.ts'
import { parseWord } from './parse.ts'
import { parseVersion } from './policy-values.ts'
import { renderTable } from './table.ts'
import { neutralJson } from './terminal.ts'

const usage = `Usage: spar policy announce <model> <version>    from their next turn on, nodes name this version with what the model says
       spar policy list                          what was announced last, by model

Announce a version when the inference servers have loaded its weights. A server that names the version in its answers is believed instead.

${natsUsage}
  --json                   one object on the last line of standard output`

const optionTypes = { ...natsOptionTypes, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options: optionTypes, allowPositionals: true })
  if (values.help || positionals.length === 0) {
    io.out(usage)
    return values.help ? 0 : 64
  }
  const word = parseWord('policy', positionals[0]!, ['announce', 'list'] as const)
  const [, model, version] = positionals
  if (positionals.length !== (word === 'announce' ? 3 : 1) || model === '') throw new SparError('OPTION_MISSING', `spar policy ${word} takes ${word === 'announce' ? 'a model and a version' : 'nothing else'}. ${usage.split('\n')[0]!}`)
  const served = word === 'announce' ? { model: model!, version: parseVersion(version!), at: systemClock.now() } : null
  const bus = await openBus(values as NatsValues, `spar policy ${word}`)
  try {
    if (served !== null) await announcePolicy(bus, served)
    const policies = served === null ? await listPolicies(bus) : [served]
    if (values.json === true) io.out(neutralJson({ policies }))
    else if (served !== null) io.out(`${served.model} is ${served.version} from the next turn on`)
    else io.out(policies.length === 0 ? 'Nothing was announced.' : renderTable(['model', 'version', 'since'], policies.map(({ model, version, at }) => [model, version, new Date(at).toISOString().slice(0, 19).replace('T', ' ')])))
    return 0
  } finally {
    await bus.close()
  }
}
