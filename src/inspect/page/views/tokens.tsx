// Tokens of one run as cells: what the policy was given is grey, what it drew is coloured by its logprob. A bar above says which
// weights drew which tokens. The texts of tokens are not in a record: their ids are.

import { useState } from 'preact/hooks'
import { topics, type SegmentRow, type TokensView } from '../../protocol.ts'
import { Failed, Loading } from '../parts/bits.tsx'
import { Word } from '../parts/text.tsx'
import { useTopic } from '../use.ts'
import { count, missing } from '../words.ts'

/** Upper ends of the logprobs of each colour, from unsure to sure. */
const steps = [-4, -2, -1, -0.5, -0.1]
const names = ['under −4', '−4 to −2', '−2 to −1', '−1 to −0.5', '−0.5 to −0.1', 'over −0.1']

const colorOf = (mask: number, logprob: number | null): string =>
  mask === 0 ? 'given' : logprob === null ? 'drawn' : `p${steps.filter(step => logprob >= step).length}`

export function Tokens ({ run, rollout, segment }: { run: string; rollout: string; segment: SegmentRow }) {
  const [page, setPage] = useState(0)
  const { value, failure } = useTopic('tokens', topics.tokens(run, rollout, segment.n, page))
  return (
    <div class='tokens'>
      <p>{count(segment.tokens)} tokens, {count(segment.drawn)} drawn by the policy, mean logprob {segment.logprob === null ? missing : segment.logprob.toFixed(3)}</p>
      <Versions segment={segment} />
      <p class='legend'><span class='cell given' /> given {names.map((name, index) => <span key={name} class='key'><span class={`cell p${index}`} /> {name}</span>)}</p>
      {value === undefined ? failure ? <Failed failure={failure} /> : <Loading what='the tokens' /> : <Cells view={value} />}
      {value !== undefined && value.pages > 1 && <p class='pages'><button disabled={page === 0} onClick={() => setPage(page - 1)}>◂ before</button> <span class='muted'>{count(value.from)} to {count(value.from + value.ids.length)} of {count(value.total)}</span> <button disabled={page + 1 >= value.pages} onClick={() => setPage(page + 1)}>after ▸</button></p>}
    </div>
  )
}

const Versions = ({ segment: { versions, tokens } }: { segment: SegmentRow }) => (
  <div class='versions' role='img' aria-label={`Versions: ${versions.map(({ version, tokens }) => `${version} for ${tokens} tokens`).join(', ')}`}>{versions.map(({ version, tokens: part }, index) => <span key={index} class={`v${index % 3}`} style={{ flexGrow: Math.max(1, Math.round(1000 * part / Math.max(1, tokens))) }} title={`${version}: ${part} tokens`}><Word>{version}</Word></span>)}</div>
)

function Cells ({ view: { ids, mask, logprobs, from, versions } }: { view: TokensView }) {
  const [at, setAt] = useState<number | null>(null)
  const version = at === null ? undefined : versions.find(({ from: first, tokens }) => from + at >= first && from + at < first + tokens)?.version
  const index = (event: Event): number | null => { const text = (event.target as HTMLElement).dataset['at']; return text === undefined ? null : Number(text) }
  return (
    <>
      <p class='chosen n' aria-live='polite'>{at === null ? <span class='muted'>Point at a token</span> : <>token {count(from + at)}: id <b>{ids[at]}</b>, {mask[at] === 0 ? 'given' : <>drawn by {version ?? missing}, logprob <b>{logprobs === null ? missing : logprobs[at]!.toFixed(3)}</b> ({logprobs === null ? missing : (100 * Math.exp(logprobs[at]!)).toFixed(1)} %)</>}</>}</p>
      <div class='cells' role='img' aria-label={`${ids.length} tokens from ${from}`} onPointerOver={event => { const found = index(event); if (found !== null) setAt(found) }}>
        {ids.map((_, token) => <i key={token} data-at={token} class={`cell ${colorOf(mask[token]!, logprobs === null ? null : logprobs[token]!)} ${token === at ? 'at' : ''}`} />)}
      </div>
    </>
  )
}
