// What each role may publish and subscribe to on the server, as the `accounts` block of its configuration. Everything that is
// not listed is refused. The subjects are those of src/bus/subjects.ts, and those that the client sends on behalf of src/bus.
//
//   operator   makes streams, submits quarantined work again, everything else
//   node       does the work: pulls, acknowledges, writes endings, samples, snapshots and presence; looks into nodes
//   submitter  puts runs on the bus, pauses, resumes and cancels them
//   watcher    follows, looks into nodes, and writes nothing
//   trainer    takes and acknowledges samples, reads objects, writes policy versions
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
    ]),
    // Who reads samples, and up to where.
    `$JS.API.CONSUMER.LIST.${stream('SAMPLES')}`
  ]
  const takeWork = [
    `$JS.API.CONSUMER.CREATE.${work}.>`, `$JS.API.CONSUMER.INFO.${work}.*`, `$JS.API.CONSUMER.MSG.NEXT.${work}.*`,
    // Servers say it with the account's domain and hash, or without.
    `$JS.ACK.${work}.>`, `$JS.ACK.*.*.${work}.>`
  ]
  const signals = `${prefix}.signals`
  // The bridge (docs/bridge.md): calls are opened at a service, clients hear below `answers`, servers below `calls`. Nodes serve
  // Inspect; acting through it is the operator's alone. Between accounts the server of NATS draws a name below `_R_` for each inbox.
  const inspect = method => `${prefix}.bridge.Inspect.*.${method}`
  const look = [inspect('machines'), inspect('watch')]
  const answers = `${prefix}.answers.>`
  const mapped = '_R_.>'
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
        `${signals}.steps.>`,
        // With a page on it (--inspect) a node looks into the others; in one account what a call says on goes below `calls`.
        ...look, `${prefix}.calls.>`,
        answers, mapped
      ],
      // `$SRV`: whoever serves is listed by NATS's own tools.
      subscribe: ['_INBOX.>', `${signals}.control.>`, inspect('*'), `${prefix}.calls.>`, answers, '$SRV.>']
    },
    submitter: {
      publish: [...read(readable), `$JS.API.CONSUMER.INFO.${work}.*`, `$KV.${prefix}_runs.*`, `${prefix}.work.run.>`, ...look, mapped],
      subscribe: ['_INBOX.>', `${signals}.>`, answers]
    },
    watcher: {
      publish: [...read(readable), `$JS.API.CONSUMER.INFO.${work}.*`, ...look, mapped],
      subscribe: ['_INBOX.>', `${signals}.>`, answers]
    },
    trainer: {
      publish: [...read([stream('SAMPLES'), bucket('runs'), bucket('policies'), objects]), `$JS.ACK.${stream('SAMPLES')}.>`, `$JS.ACK.*.*.${stream('SAMPLES')}.>`, `$KV.${prefix}_policies.>`],
      subscribe: ['_INBOX.>', `${signals}.>`]
    }
  }

  // Whoever sends a request says where the answer goes, and a server checks that against nobody's permissions. So clients that do
  // no work have an account each, and what they may send is imported into it: an answer of the server stays in their account.
  const guests = ['submitter', 'watcher', 'trainer']
  // What stays in an account is neither exported nor imported.
  const isShared = subject => subject !== mapped && subject !== answers
  const subjects = [...new Set(guests.flatMap(role => permissions[role].publish))].filter(isShared)
  const takers = subject => guests.filter(role => permissions[role].publish.includes(subject)).map(accountOf).join(', ')
  // A request for messages has more answers than one, and so has a call.
  const manner = subject => subject.includes('.MSG.NEXT.') || subject.includes('.bridge.') ? ', response: stream' : ''
  const exported = [
    ...subjects.map(subject => `{ service: ${quoted(subject)}, accounts: [${takers(subject)}]${manner(subject)} }`),
    ...['_INBOX.>', `${signals}.>`].map(subject => `{ stream: ${quoted(subject)}, accounts: [${guests.map(accountOf).join(', ')}] }`)
  ]
  const imported = role => [
    ...permissions[role].publish.filter(isShared).map(subject => `{ service: { account: SPAR, subject: ${quoted(subject)} } }`),
    ...permissions[role].subscribe.filter(isShared).map(subject => `{ stream: { account: SPAR, subject: ${quoted(subject)} } }`)
  ]
  const user = role => `{ nkey: ${keys[role]}, permissions: {
      publish: ${list(permissions[role].publish.map(quoted), 8)}
      subscribe: ${list(permissions[role].subscribe.map(quoted), 8)}
    } }`
  return `# Made by make-keys.sh; the seeds that go with these public keys are in the folder \`keys\`.
accounts {
  SPAR {
    jetstream: enabled
    users: ${list(['operator', 'node'].map(user), 6)}
    exports: ${list(exported, 6)}
  }
${guests.map(role => `  ${accountOf(role)} {
    users: ${list([user(role)], 6)}
    imports: ${list(imported(role), 6)}
  }
`).join('')}  SYS { users: [ { nkey: ${keys.system} } ] }
}
system_account: SYS
`
}

const accountOf = role => role.toUpperCase()
const quoted = subject => JSON.stringify(subject)
const list = (items, indent) => `[\n${items.map(item => `${' '.repeat(indent)}${item}`).join(',\n')}\n${' '.repeat(indent - 2)}]`
