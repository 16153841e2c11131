// Small charts as SVG: lines over a number, and bars with a curve over them. Sizes are of the drawing; it is as wide as its place.
// What a line shows also stands in a table that can be opened, for whoever does not see it.

import { useState } from 'preact/hooks'
import { missing } from '../words.ts'

export interface Series { name: string; color: 1 | 2 | 3 | 4; values: (number | null)[] }

const box = { width: 560, height: 190, left: 44, right: 12, top: 12, bottom: 26 }
const inner = { width: box.width - box.left - box.right, height: box.height - box.top - box.bottom }

export interface PlotProps { title: string; xs: number[]; series: Series[]; low: number; high: number; ticks: number[]; format: (value: number) => string; xName: string }

export function LinePlot ({ title, xs, series, low, high, ticks, format, xName }: PlotProps) {
  const [at, setAt] = useState<number | null>(null)
  const [first, last] = [xs[0] ?? 0, xs.at(-1) ?? 1]
  const x = (value: number): number => box.left + (last === first ? inner.width / 2 : (value - first) / (last - first) * inner.width)
  const y = (value: number): number => box.top + (1 - (Math.min(high, Math.max(low, value)) - low) / (high - low)) * inner.height
  const hover = (event: PointerEvent): void => {
    const { left, width } = (event.currentTarget as SVGElement).getBoundingClientRect()
    const wanted = (event.clientX - left) / width * box.width
    setAt(xs.reduce((best, value, index) => Math.abs(x(value) - wanted) < Math.abs(x(xs[best]!) - wanted) ? index : best, 0))
  }
  return (
    <figure class='plot'>
      <figcaption><strong>{title}</strong><span class='legend'>{series.map(({ name, color, values }) => {
        const value = at === null ? values.findLast(value => value !== null) ?? null : values[at] ?? null
        return <span key={name} class={`key c${color}`}>{name} <b>{value === null ? missing : format(value)}</b></span>
      })}{at !== null && <span class='muted'>{xName} {xs[at]}</span>}</span></figcaption>
      <svg viewBox={`0 0 ${box.width} ${box.height}`} role='img' aria-label={title} onPointerMove={hover} onPointerLeave={() => setAt(null)}>
        {ticks.map(tick => <g key={tick}><line class='grid' x1={box.left} x2={box.width - box.right} y1={y(tick)} y2={y(tick)} /><text class='tick' x={box.left - 6} y={y(tick) + 3.5} text-anchor='end'>{format(tick)}</text></g>)}
        <text class='tick' x={box.left} y={box.height - 8}>{first}</text>
        <text class='tick' x={box.width - box.right} y={box.height - 8} text-anchor='end'>{last}</text>
        <text class='tick' x={box.left + inner.width / 2} y={box.height - 8} text-anchor='middle'>{xName}</text>
        {at !== null && <line class='cursor' x1={x(xs[at]!)} x2={x(xs[at]!)} y1={box.top} y2={box.height - box.bottom} />}
        {series.map(({ name, color, values }) => <g key={name} class={`series c${color}`}>
          <path d={pathOf(xs, values, x, y)} />
          {values.map((value, index) => value !== null && (xs.length <= 40 || index === at) && <circle key={index} cx={x(xs[index]!)} cy={y(value)} r={index === at ? 4 : 2.2} />)}
        </g>)}
      </svg>
      <details><summary>as a table</summary><div class='wide' tabIndex={0} role='region' aria-label={`${title} as a table`}><table><thead><tr><th>{xName}</th>{series.map(({ name }) => <th key={name}>{name}</th>)}</tr></thead>
        <tbody>{xs.map((value, index) => <tr key={index}><td>{value}</td>{series.map(({ name, values }) => <td key={name}>{values[index] === null || values[index] === undefined ? missing : format(values[index])}</td>)}</tr>)}</tbody></table></div></details>
    </figure>
  )
}

/** A line through what has a value; a point without one has no place on it. */
function pathOf (xs: number[], values: (number | null)[], x: (value: number) => number, y: (value: number) => number): string {
  const points = values.flatMap((value, index) => value === null ? [] : [`${x(xs[index]!).toFixed(1)} ${y(value).toFixed(1)}`])
  return points.length === 0 ? '' : `M${points.join('L')}`
}

export interface BarsProps { title: string; counts: number[]; peak: number; curve: { p: number; reward: number }[] }

/** How many bugs have which solve rate, and over it what such a bug is worth to the breaker. */
export function BarPlot ({ title, counts, peak, curve }: BarsProps) {
  const most = Math.max(1, ...counts)
  const width = inner.width / counts.length
  const x = (share: number): number => box.left + share * inner.width
  const y = (reward: number): number => box.top + (1 - (reward + 1) / 2) * inner.height
  const line = curve.map(({ p, reward }, index) => `${index === 0 ? 'M' : 'L'}${x(p).toFixed(1)} ${y(reward).toFixed(1)}`).join('')
  const total = counts.reduce((sum, count) => sum + count, 0)
  return (
    <figure class='plot'>
      <figcaption><strong>{title}</strong><span class='legend'><span class='key c1'>bugs <b>{total}</b></span><span class='key c2'>expected reward of the breaker</span><span class='muted'>highest at {Math.round(peak * 100)} %</span></span></figcaption>
      <svg viewBox={`0 0 ${box.width} ${box.height}`} role='img' aria-label={`${title}: ${counts.map((count, index) => `${Math.round(100 * index / counts.length)} %: ${count}`).join(', ')}`}>
        <line class='grid' x1={box.left} x2={box.width - box.right} y1={box.height - box.bottom} y2={box.height - box.bottom} />
        {counts.map((count, index) => {
          const height = count / most * (inner.height - 16)
          return <g key={index}><rect class='bar' x={box.left + index * width + 1.5} width={Math.max(1, width - 3)} y={box.height - box.bottom - height} height={height} rx='2'><title>{`${count} bugs`}</title></rect>
            {count > 0 && <text class='tick' text-anchor='middle' x={box.left + (index + 0.5) * width} y={box.height - box.bottom - height - 4}>{count}</text>}</g>
        })}
        <line class='peak' x1={x(peak)} x2={x(peak)} y1={box.top} y2={box.height - box.bottom} />
        <g class='series c2'><path d={line} /></g>
        {[0, 0.25, 0.5, 0.75, 1].map(share => <text key={share} class='tick' x={x(share)} y={box.height - 8} text-anchor={share === 0 ? 'start' : share === 1 ? 'end' : 'middle'}>{share * 100} %</text>)}
        {[-1, 0, 1].map(reward => <text key={reward} class='tick' x={box.left - 6} y={y(reward) + 3.5} text-anchor='end'>{reward > 0 ? '+1' : reward === 0 ? '0' : '−1'}</text>)}
      </svg>
    </figure>
  )
}
