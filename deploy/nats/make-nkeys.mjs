// Makes an nkey for each role: the seed into <folder>/keys/<role>.nk, and the accounts with the public keys into
// <folder>/server/accounts.conf. Called by make-keys.sh.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nkeys } from 'nats'
import { accounts, roles } from './roles.mjs'

const [folder, prefix] = process.argv.slice(2)
const keys = {}
for (const role of roles) {
  const pair = nkeys.createUser()
  keys[role] = pair.getPublicKey()
  writeFileSync(join(folder, 'keys', `${role}.nk`), `${Buffer.from(pair.getSeed()).toString('utf8')}\n`, { mode: 0o600, flag: 'wx' })
  pair.clear()
}
writeFileSync(join(folder, 'server', 'accounts.conf'), accounts(prefix, keys), { mode: 0o600, flag: 'wx' })
