// `spar report <run folder>`: the page with the run's data in it, as one file that needs nothing else.

import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { machineViews } from '../../actors/definitions.ts'
import { systemClock } from '../clock.ts'
import { SparError } from '../errors.ts'
import { inspectLimits } from '../inspect/limits.ts'
import { readPage } from '../inspect/page-files.ts'
import { protocolVersion } from '../inspect/protocol.ts'
import { writeReport } from '../inspect/report.ts'
import { writeLarge } from '../store/files.ts'
import { shownPath, type Io } from './command.ts'
import { folderSource } from './inspect-sources.ts'
import { mib } from './table.ts'
import { version } from './version.ts'
import { neutralJson } from './terminal.ts'

const usage = `Usage: spar report <run folder> [--out file.html]
Writes one HTML file with everything of the run in it: it opens without a server, and loads nothing.
  --out file               default: <run>.html here;  --force  writes over a file that is there
  --json                   one object: {file, bytes, topics, leftOut}`

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, allowPositionals: true, options: { out: { type: 'string' }, force: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const [dir, ...rest] = positionals
  if (dir === undefined || rest.length > 0) throw new SparError('OPTION_MISSING', 'Cannot write a report: name the folder of one run')
  const file = resolve(values.out ?? `${basename(resolve(dir))}.html`)
  if (existsSync(file) && values.force !== true) throw new SparError('OPTION_INVALID', `Cannot write ${shownPath(file)}: it is there already. Give another --out, or --force`)
  const source = folderSource([dir])
  try {
    const hello = { type: 'hello', protocol: protocolVersion, spar: version(), source: 'folder', mayAct: false, now: systemClock.now(), everyMs: inspectLimits.everyMs } as const
    const { html, topics, leftOut } = await writeReport({ source, hello, page: readPage(), machines: machineViews() })
    await writeLarge(file, html)
    const bytes = Buffer.byteLength(html)
    if (values.json === true) io.out(neutralJson({ file, bytes, topics, leftOut }))
    else io.out(`${shownPath(file)}: ${mib(bytes)} MiB, ${topics} views${leftOut > 0 ? `; ${leftOut} were left out: they would have made it larger than ${mib(inspectLimits.reportBytesMax)} MiB, or cannot be read` : ''}`)
    return 0
  } finally { await source.close() }
}
