// What goes wrong with patches: lines, numbers, hunks, sections and bytes of one, changed by chance.

import type { Random } from '../../src/ports.ts'
import { lineOf } from './diff-text.ts'

const spice = ['--- a/a\n', '+++ b/a\n', '--- a/c.txt\n', '+++ b/c.txt\n', '@@ -1 +1 @@\n', '@@ -0,0 +1 @@\n', '-x\n', '+x\n', ' x\n', '\n', '\\ No newline at end of file\n', '\\ No newline\n', '\\\n', 'diff --git a/a b/a\n',
  'diff --git a/a b/b\n', 'diff --git a/d/e b/d/e\n', 'rename from a\n', 'rename to b\n', 'rename old a\n', 'copy from a\n', 'copy to c.txt\n', 'new file mode 100644\n', 'new file mode 120000\n', 'new file mode 160000\n',
  'deleted file mode 100644\n', 'deleted file mode 120000\n', 'old mode 100755\n', 'new mode 100755\n', 'old mode 100644\n', 'new mode 100644\n', 'new mode 644\n', 'new file mode 755\n', 'index 1234567..89abcde 100644\n', 'index 1234567..89abcde 120000\n',
  'index e69de29..0000000\n', 'similarity index 100%\n', 'GIT binary patch\n', 'literal 0\nHcmV?d00001\n\n', 'Binary files a/a and b/a differ\n', '--- /dev/null\n', '+++ /dev/null\n', 'diff --cc a\n', '@@@ -1,2 -1,2 +1,3 @@@\n', 'Index: a\n', 'index \n', 'index a.b\n',
  'diff --git a/../x b/../x\n', 'diff --git a/.git/x b/.git/x\n', 'copy from ./a\n', 'copy from d/../a\n', 'copy from d//e\n', 'rename to d\n', 'rename from d\n', 'rename from l\n', '--- "a/a"\n', '+++ "b/\\141"\n', 'diff --git "a/a" b/a\n', 'diff --git "a/a" "b/\\141"\n', 'diff --git a/a "b/a"\n',
  '--- a//a\n', '+++ b/d//e\n', '+++ b/a\r\n', '--- a/a\tx\n', '--- a/a 2020-01-01 00:00:00\n', '+++ a\n', 'new mode -1\n', 'old mode  100644\n', 'old mode\t100644 x\n', '@@ -1,99999999999999999999 +1 @@\n', '@@ -4294967297 +4294967297 @@\n']

const numbers = ['0', '1', '2', '3', '4', '7', '12', '99', '2147483648', '4294967297', '18446744073709551617']

type Change = (random: Random, text: string) => string

const atLine = (random: Random, text: string, change: (lines: string[], at: number) => void, wanted: (line: string) => boolean = () => true): string => {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const places = lines.flatMap((line, at) => wanted(line) ? [at] : [])
  if (places.length > 0) change(lines, random.pick(places))
  return lines.join('')
}

const isHeader = (line: string): boolean => /^(?:diff|---|\+\+\+|@@|index|old|new|deleted|rename|copy|similarity|GIT|literal|delta)/.test(line)

const changes: readonly Change[] = [
  (random, text) => atLine(random, text, (lines, at) => { lines.splice(at, 1) }),
  (random, text) => atLine(random, text, (lines, at) => { lines.splice(at, 1) }, isHeader),
  (random, text) => atLine(random, text, (lines, at) => { lines.splice(at, 0, random.pick(spice)) }),
  (random, text) => atLine(random, text, (lines, at) => { lines.splice(at, 0, random.pick(spice)) }, isHeader),
  (random, text) => atLine(random, text, (lines, at) => { lines[at] = random.pick(spice) }, isHeader),
  (random, text) => atLine(random, text, (lines, at) => { lines.splice(at, 0, lines[at]!) }),
  (random, text) => atLine(random, text, (lines, at) => { lines[at] = random.pick([' ', '+', '-', '']) + lineOf(random) }),
  (random, text) => atLine(random, text, (lines, at) => { if (at > 0) lines.splice(at - 1, 2, lines[at]!, lines[at - 1]!) }),
  (random, text) => atLine(random, text, (lines, at) => { lines[at] = random.pick([' ', '+', '-', '\\']) + lines[at]!.slice(1) }),
  (random, text) => atLine(random, text, (lines, at) => { lines[at] = lines[at]!.slice(0, -1) + random.pick(['\r\n', ' \n', '\t\n', '', '\0\n']) }),
  (random, text) => atLine(random, text, (lines, at) => { lines[at] = lines[at]!.replace(/\d+/g, number => random.next() < 0.3 ? random.pick(numbers) : number) }, line => line.startsWith('@@')),
  (random, text) => atLine(random, text, (lines, at) => { lines[at] = lines[at]!.replace(/-(\d+)(.*)\+(\d+)/, (_, old, middle, neu) => `-${Number(old) + random.int(9) - 4}${middle}+${Number(neu) + random.int(9) - 4}`) }, line => line.startsWith('@@')),
  (random, text) => atLine(random, text, (lines, at) => { lines.splice(at + 1, 0, '\\ No newline at end of file\n') }, line => /^[ +-]/.test(line)),
  (random, text) => atLine(random, text, (lines, at) => { lines.splice(at, 1) }, line => line.startsWith('\\')),
  (_, text) => text.replace(/^(\+.*|-.*| .*)\n/gm, '$1\r\n'),
  (_, text) => text.replaceAll('\n', '\r\n'),
  (_, text) => text.replace(/\n$/, ''),
  (_, text) => text.replace(/^ \n/gm, '\n'),
  (random, text) => text.slice(0, random.int(text.length + 1)),
  (random, text) => `${random.pick(spice)}${text}`,
  (random, text) => `${text}${random.pick(spice)}`,
  (random, text) => text.replace(/10[0-7]{4}/g, mode => random.next() < 0.5 ? random.pick(['100755', '100644', '120000', '160000', '100600', '040000', '0', '644']) : mode),
  (random, text) => byteChanged(random, text),
  (random, text) => hunksChanged(random, text)
]

function byteChanged (random: Random, text: string): string {
  const at = random.int(text.length)
  const byte = random.pick(['\0', '\t', ' ', '\n', '\r', '/', '"', '\\', '.', '0', '9', '-', '+', '@', 'a', '\xff', String.fromCharCode(random.int(256))])
  return random.next() < 0.5 ? text.slice(0, at) + byte + text.slice(at + 1) : text.slice(0, at) + byte + text.slice(at)
}

function hunksChanged (random: Random, text: string): string {
  const parts = text.split(/^(?=@@ -)/m)
  if (parts.length < 2) return text
  const [head, ...hunks] = parts
  const kind = random.int(4)
  if (kind === 0) return head + random.shuffle(hunks).join('')
  if (kind === 1) return head + hunks.flatMap(hunk => random.next() < 0.4 ? [hunk, hunk] : [hunk]).join('')
  if (kind === 2) return head + hunks.filter(() => random.next() < 0.7).join('')
  return head + hunks.join(random.pick(spice))
}

/** Some changes to some sections, and to their order. */
export function mangle (random: Random, sections: readonly string[]): string[] {
  let mangled = [...sections]
  const order = random.next()
  if (order < 0.1) mangled = random.shuffle(mangled)
  else if (order < 0.2) mangled = mangled.flatMap(section => random.next() < 0.5 ? [section, section] : [section])
  else if (order < 0.25) mangled = mangled.filter(() => random.next() < 0.6)
  if (mangled.length === 0 || (order < 0.2 && random.next() < 0.6)) return mangled
  for (let left = 1 + random.int(3); left > 0; left--) {
    const at = random.int(mangled.length)
    mangled[at] = random.pick(changes)(random, mangled[at]!)
  }
  return mangled
}
