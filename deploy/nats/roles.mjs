// What each role may publish and subscribe to on the server, as the `accounts` block of its configuration. Everything that is
// not listed is refused. The subjects are those of src/bus/subjects.ts, and those that the client sends on behalf of src/bus.
//
//   operator   makes streams, submits quarantined work again, everything else
//   node       does the work: pulls, acknowledges, writes endings, samples, snapshots and presence
//   submitter  puts runs on the bus, pauses, resumes and cancels them
//   watcher    follows, and writes nothing
//   trainer    reads samples and objects, writes policy versions
//   system     the server's own account: reports and monitoring, none of Spar's subjects

export const roles = ['operator', 'node', 'submitter', 'watcher', 'trainer', 'system']

/** `prefix` is that of --nats-prefix; `keys` are the roles' public keys. */
export function accounts (prefix, keys) {
  const stream = name => `${prefix.toUpperCase()}_${name}`
  const bucket = name => `KV_${prefix}_${name}`
  const objects = `OBJ_${prefix}_objects`
  const work = stream('WORK')
  const readable = [stream('RECORDS'), stream('SAMPLES'), bucket('runs'), bucket('episodes'), bucket('nodes'), bucket('policies'), objects]

  // Reading is asking the JetStream API for a message or for a consumer of one's own: none of these subjects changes a message.
  const read = streams => [
    '$JS.API.INFO', '$JS.API.STREAM.INFO.*', '$JS.API.STREAM.NAMES', '$JS.FC.>',
    ...streams.flatMap(name => [
      `$JS.API.STREAM.MSG.GET.${name}`, `$JS.API.DIRECT.GET.${name}`, `$JS.API.DIRECT.GET.${name}.>`,
      `$JS.API.CONSUMER.CREATE.${name}`, `$JS.API.CONSUMER.CREATE.${name}.>`, `$JS.API.CONSUMER.INFO.${name}.*`,
      `$JS.API.CONSUMER.MSG.NEXT.${name}.*`, `$JS.API.CONSUMER.DELETE.${name}.*`
    ])
  ]
  const takeWork = [
    `$JS.API.CONSUMER.CREATE.${work}.>`, `$JS.API.CONSUMER.INFO.${work}.*`, `$JS.API.CONSUMER.MSG.NEXT.${work}.*`,
    // Servers say it with the account's domain and hash, or without.
    `$JS.ACK.${work}.>`, `$JS.ACK.*.*.${work}.>`
  ]
  const signals = `${prefix}.signals`
  const permissions = {
    operator: { publish: ['>'], subscribe: ['>'] },
    node: {
      publish: [
        ...read(readable), ...takeWork,
        // All work but `run`: the message that has a run led is the submitter's to write.
        ...['episode', 'rollout', 'verify', 'grade'].map(kind => `${prefix}.work.${kind}.>`),
        `${prefix}.records.>`, `${prefix}.samples.>`, `$O.${prefix}_objects.>`,
        `$KV.${prefix}_episodes.>`, `$KV.${prefix}_nodes.*`,
        // Nodes write an arena that they opened, and the end of a run, into its document.
        `$KV.${prefix}_runs.*`,
        // A run that was cancelled takes its work off the queue.
        `$JS.API.STREAM.PURGE.${work}`,
        // An object whose writing failed half-way takes its pieces along; without this, a full stream reads as a denial.
        `$JS.API.STREAM.PURGE.${objects}`,
        `${signals}.steps.>`
      ],
      subscribe: ['_INBOX.>', `${signals}.control.>`]
    },
    submitter: {
      publish: [...read(readable), `$JS.API.CONSUMER.INFO.${work}.*`, `$KV.${prefix}_runs.*`, `${prefix}.work.run.>`],
      subscribe: ['_INBOX.>', `${signals}.>`]
    },
    watcher: {
      publish: [...read(readable), `$JS.API.CONSUMER.INFO.${work}.*`],
      subscribe: ['_INBOX.>', `${signals}.>`]
    },
    trainer: {
      publish: [...read([stream('SAMPLES'), bucket('runs'), bucket('policies'), objects]), `$KV.${prefix}_policies.>`],
      subscribe: ['_INBOX.>', `${signals}.>`]
    }
  }

  const list = subjects => `[\n${subjects.map(subject => `            ${JSON.stringify(subject)}`).join(',\n')}\n          ]`
  const user = role => [
    `      # ${role}`,
    `      { nkey: ${keys[role]}, permissions: {`,
    `          publish: ${list(permissions[role].publish)}`,
    `          subscribe: ${list(permissions[role].subscribe)}`,
    '      } }'
  ].join('\n')
  return [
    '# Made by make-keys.sh; the seeds that go with these public keys are in the folder `keys`.',
    'accounts {',
    '  SPAR {',
    '    jetstream: enabled',
    '    users: [',
    roles.filter(role => role !== 'system').map(user).join(',\n'),
    '    ]',
    '  }',
    `  SYS { users: [ { nkey: ${keys.system} } ] }`,
    '}',
    'system_account: SYS',
    ''
  ].join('\n')
}
