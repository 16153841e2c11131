// Goal: no archive writes outside of its folder or fills the disk. Method: archives are made by hand, entry by entry, as no
// tar program would make them.

import { mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { unpack } from '../../src/arena/archive.ts'
import { testFolder } from '../helpers/test-folder.ts'

const limits = { archiveBytesMax: 1_000_000, archiveEntriesMax: 100, archivePathMax: 300 }

interface Entry { path: string; type?: string; body?: string | Buffer; link?: string; size?: number; mode?: string; breakSum?: boolean }

function entry ({ path, type = '0', body = '', link = '', size, mode = '0000644', breakSum = false }: Entry): Buffer {
  const content = Buffer.from(body)
  const head = Buffer.alloc(512)
  head.write(path, 0, 100)
  head.write(mode + '\0', 100)
  head.write((size ?? content.length).toString(8).padStart(11, '0') + '\0', 124)
  head.write('00000000000\0', 136)
  head.write('        ', 148)
  head.write(type, 156)
  head.write(link, 157, 100)
  head.write('ustar\0' + '00', 257)
  const sum = head.reduce((total, byte) => total + byte, breakSum ? 1 : 0)
  head.write(sum.toString(8).padStart(6, '0') + '\0 ', 148)
  return Buffer.concat([head, content, Buffer.alloc((512 - content.length % 512) % 512)])
}

const archive = (...entries: Entry[]): Buffer => gzipSync(Buffer.concat([...entries.map(entry), Buffer.alloc(1024)]))

t.test('unpacks files, folders, modes, long names and links that stay inside', async t => {
  const folder = testFolder(t)
  const long = `package/${'d'.repeat(90)}/${'e'.repeat(90)}.txt`
  const record = (text: string): string => { const length = text.length + 4; return `${String(length).padStart(3, '0')} ${text}` }
  const entries = await unpack('x', archive(
    { path: 'package/', type: '5' },
    { path: 'package/a.txt', body: 'one' },
    { path: 'package/bin/run', body: '#!', mode: '0000755' },
    { path: '././@LongLink', type: 'L', body: long + '\0' },
    { path: 'package/cut', body: 'long' },
    { path: 'PaxHeader/x', type: 'x', body: record('path=package/ü ö.txt\n').replace(/^\d+/, () => String(Buffer.byteLength('path=package/ü ö.txt\n') + 3)) },
    { path: 'package/ascii', body: 'pax' },
    { path: 'package/link', type: '2', link: 'bin/run' },
    { path: 'package/hard', type: '1', link: 'package/a.txt' },
    { path: 'package/a.txt', body: 'two' }
  ), folder, limits)
  t.equal(readFileSync(join(folder, 'a.txt'), 'utf8'), 'two', 'the last entry of a name wins')
  t.equal(statSync(join(folder, 'bin/run')).mode & 0o777, 0o755)
  t.equal(readFileSync(join(folder, long.slice('package/'.length)), 'utf8'), 'long')
  t.ok(readdirSync(folder).includes('ü ö.txt'))
  t.equal(readFileSync(join(folder, 'link'), 'utf8'), '#!')
  t.equal(entries.length, 7)
})

const hostile: [string, Buffer, RegExp][] = [
  ['climbs', archive({ path: 'package/../../evil', body: 'x' }), /leads outside/],
  ['is absolute', archive({ path: '/tmp/evil', body: 'x' }), /no relative path/],
  ['writes into a .git', archive({ path: 'package/.GIT/hooks/post-checkout', body: 'x' }), /into a \.git/],
  ['has a backslash', archive({ path: 'package\\..\\evil', body: 'x' }), /no relative path/],
  ['writes through a link', archive({ path: 'p/out', type: '2', link: 'sub' }, { path: 'p/out/evil', body: 'x' }), /leads through/],
  ['links outside', archive({ path: 'p/out', type: '2', link: '../../etc' }), /leads outside/],
  ['links to an absolute path', archive({ path: 'p/out', type: '2', link: '/etc/passwd' }), /leads outside/],
  ['links hard to what is not in it', archive({ path: 'p/out', type: '1', link: 'p/../../etc/passwd' }), /outside/],
  ['replaces a link by a file', archive({ path: 'p/a', type: '2', link: 'b' }, { path: 'p/a', body: 'x' }), /twice/],
  ['holds a device', archive({ path: 'p/null', type: '3' }), /device/],
  ['has too many entries', archive(...Array.from({ length: 101 }, (_, index) => ({ path: `p/${index}` }))), /archiveEntriesMax = 100/],
  ['is a bomb', gzipSync(Buffer.concat([entry({ path: 'p/a', body: Buffer.alloc(1_200_000) }), Buffer.alloc(1024)])), /archiveBytesMax = 1000000/],
  ['states a size that is over the limit', archive({ path: 'p/a', size: 8_000_000 }), /archiveBytesMax/],
  ['is cut off', gzipSync(entry({ path: 'p/a', body: 'x'.repeat(2000) }).subarray(0, 1024)), /middle of an entry/],
  ['has a wrong checksum', archive({ path: 'p/a', breakSum: true }), /checksum/],
  ['is no gzip', Buffer.from('<html>not found</html>'), /no gzipped tar/],
  ['is empty', gzipSync(Buffer.alloc(1024)), /is empty/],
  ['has an endless name', archive({ path: 'p/' + 'a/'.repeat(20), body: 'x' }, { path: '././@LongLink', type: 'L', body: 'p/' + 'a/'.repeat(300) + '\0' }, { path: 'p/x' }), /archivePathMax = 300/]
]

for (const [name, bytes, why] of hostile) {
  t.test(`refuses an archive that ${name}`, async t => {
    const outer = testFolder(t, { inside: {} })
    await t.rejects(unpack('bad', bytes, join(outer, 'inside'), limits), { code: 'ARENA_BAD_ARCHIVE', message: why })
    t.same(readdirSync(outer), ['inside'], 'nothing stands beside the folder')
  })
}

t.test('does not follow links that stood in the folder before', async t => {
  const outer = testFolder(t, { secret: {}, inside: {} })
  symlinkSync('../secret', join(outer, 'inside', 'a'))
  await t.rejects(unpack('bad', archive({ path: 'p/a/evil', body: 'x' }), join(outer, 'inside'), limits), { code: 'ARENA_BAD_ARCHIVE' })
  t.same(readdirSync(join(outer, 'secret')), [])
  mkdirSync(join(outer, 'other'))
  writeFileSync(join(outer, 'other', 'file'), '')
})
