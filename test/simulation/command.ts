// `spar simulate` as a program of its own, for versions of the product with a defect in it.

import { run } from '../../src/cli/simulate.ts'

process.exitCode = await run(process.argv.slice(2), { out: line => { process.stdout.write(line + '\n') }, err: line => { process.stderr.write(line + '\n') } })
