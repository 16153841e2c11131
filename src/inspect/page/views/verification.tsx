// What verification says of an artifact: the checks with their evidence, the tests, and which file is needed for which of them.

import type { VerdictView } from '../../protocol.ts'
import { Badge, Empty, Panel, Wide } from '../parts/bits.tsx'
import { JsonText } from '../parts/json.tsx'
import { Word } from '../parts/text.tsx'
import { Names } from './episode.tsx'

const purposes: Record<string, string> = {
  files: 'the five files are there and can be read', parser: 'the parser reads the log of the tests', script: 'enough tests pass on the original tree', scope: 'code and tests are each changed by their own patch',
  bug: 'the bug makes enough tests fail', weaken: 'the weakened tests hide it', inverse: 'every file of the bug is needed', determinism: 'repeated runs say the same'
}

export function Verification ({ verdict }: { verdict: VerdictView }) {
  const { decided, valid, failed, mode, checks, counts, files, f2p, p2p, quarantined, inverse } = verdict
  return (
    <>
      <Panel title='Checks' note={decided ? valid ? `valid${mode === 'group' ? ', inverse mutation by groups of files' : ''}` : `rejected by ${failed ?? ''}` : 'not decided: nothing follows from it'}>
        <ul class='evidence'>{checks.map(({ name, verdict, reason, evidence }) => (
          <li key={name}><details open={verdict === 'fail' || verdict === 'error'}>
            <summary><Badge>{verdict}</Badge> <b>{name}</b> <span class='muted'>{purposes[name] ?? ''}</span>{reason !== '' && <span class='reason'><Word>{reason}</Word></span>}</summary>
            {evidence.text === '' || evidence.text === '{}' ? <p class='muted none'>No evidence was needed</p> : <JsonText content={evidence} label={`Evidence of ${name}`} />}
          </details></li>
        ))}</ul>
      </Panel>
      <Panel title='Inverse mutation' note='each file put back alone: which tests pass again'>
        {inverse === null ? <Empty title='Not reached' /> : <Inverse inverse={inverse} />}
      </Panel>
      <Panel title='Tests and files'>
        <div class='columns'>
          <Names title='files that the bug changes' names={files} total={counts.files} />
          <Names title='tests that it breaks' names={f2p} total={counts.f2p} />
          <Names title='tests that still pass' names={p2p} total={counts.p2p} />
          {counts.quarantined > 0 && <Names title='flaky, left out' names={quarantined} total={counts.quarantined} />}
        </div>
      </Panel>
    </>
  )
}

const Inverse = ({ inverse: { restored, idle } }: { inverse: NonNullable<VerdictView['inverse']> }) => (
  <Wide label='Inverse mutation'><table><thead><tr><th>put back</th><th>tests that pass again</th></tr></thead><tbody>
    {restored.map(({ files, flips }) => <tr key={files.join()}><td>{files.map(file => <div key={file}><code><Word>{file}</Word></code></div>)}</td><td><Names title={flips.length === 1 ? 'test' : 'tests'} names={flips} /></td></tr>)}
    {idle.map(file => <tr key={file}><td><code><Word>{file}</Word></code></td><td class='bad'>none: the file is not needed</td></tr>)}
  </tbody></table></Wide>
)
