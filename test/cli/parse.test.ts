import t from 'tap'
import { readSandboxes, sandboxesFor } from '../../src/cli/parse.ts'

t.test('a runtime takes Docker, and is refused where it says nothing', async t => {
  t.same(readSandboxes({}), { kind: 'auto' })
  t.same(readSandboxes({ sandbox: 'auto', runtime: 'runsc' }), { kind: 'docker', runtime: 'runsc' })
  t.same(sandboxesFor({ sandbox: 'docker', runtime: 'io.containerd.kata.v2' }, './here'), { kind: 'docker', runtime: 'io.containerd.kata.v2', place: 'directory' })
  t.same(sandboxesFor({}, 'docker:image#/path'), { kind: 'docker', place: 'image' })
  t.throws(() => readSandboxes({ sandbox: 'process', runtime: 'runsc' }), { code: 'OPTION_INVALID' })
  for (const runtime of ['', ' ', '../runsc', '--privileged']) t.throws(() => readSandboxes({ runtime }), { code: 'OPTION_INVALID' }, runtime)
})
