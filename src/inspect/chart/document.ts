// A chart as a document: the drawing as a file of its own, readable in light and dark, and a page with its tables.

import type { StateNode } from '../protocol.ts'
import { drawChart, viewBoxOf, type Shape } from './draw.ts'
import type { Placed } from './placed.ts'
import { everyState } from './states.ts'

const style = `text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#3d4652}
.name{font:600 13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#14181f}
.mark,.note{fill:#66717f}.tag text{fill:#2a55bd;font-size:10px}.tag rect{fill:#2f5fd0;fill-opacity:.1}
.box{fill:#fff;stroke:#c4ccd6}.compound .box{fill:#f6f8fa}.inner{fill:none;stroke:#c4ccd6}.start,.head{fill:#7c8794}
.line{fill:none;stroke:#7c8794;stroke-width:1.2}.back{fill:#f6f8fa;fill-opacity:.9}
@media (prefers-color-scheme:dark){text{fill:#b7c0cc}.name{fill:#eef1f5}.mark,.note{fill:#8994a3}.tag text{fill:#8fb0ff}.tag rect{fill:#8fb0ff;fill-opacity:.14}
.box{fill:#1a1f27;stroke:#3d4754}.compound .box{fill:#12161c}.inner{stroke:#3d4754}.start,.head{fill:#77828f}.line{stroke:#77828f}.back{fill:#12161c;fill-opacity:.9}}`

export function svgOf (placed: Placed, title: string): string {
  const shapes = drawChart(placed).map(textOf).join('\n')
  const viewBox = viewBoxOf(placed)
  const [, , width, height] = viewBox.split(' ')
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${viewBox}" width="${width!}" height="${height!}" role="img"><title>${escape(title)}</title>\n<style>${style}</style>\n${shapes}\n</svg>\n`
}

function textOf ({ tag, attributes, children, text }: Shape): string {
  const written = Object.entries(attributes).map(([name, value]) => ` ${name}="${escape(String(value))}"`).join('')
  return `<${tag}${written}>${escape(text)}${children.map(textOf).join('')}</${tag}>`
}

const escape = (text: string): string => text.replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`)

/** `about`: the comment that the machine's file opens with; `file`: from the repository's root. */
export function documentOf (root: StateNode, about: string, file: string): string {
  return `# ${root.key}

Made by \`npm run docs:machines\` from [${file}](../../${file}); a test fails when it differs.

![Statechart of ${root.key}](${root.key}.svg)

\`\`\`text
${about}
\`\`\`

## States

${table(['state', 'kind', 'runs', 'on entry', 'tags'], everyState(root).slice(1).map(state => [code(state.path), kindOf(root, state), codes(state.invokes.map(({ id, src }) => src === id ? id : `${src} as ${id}`)), codes(state.entry), codes(state.tags)]))}

## Transitions

Of the rows with one state and event, the first whose guard holds is taken. No target: the state is not left.

${table(['state', 'event', 'guard', 'target', 'actions'], everyState(root).flatMap(state => state.transitions.map(({ kind, label, guard, targets, actions }) => [code(state.path || root.key), code(kind === 'always' ? 'always' : label), guard === null ? '' : code(guard), codes(targets), codes(actions)])))}
`
}

function kindOf (root: StateNode, { path, type }: StateNode): string {
  const isInitial = everyState(root).some(({ initial }) => initial === path)
  return [...(isInitial ? ['initial'] : []), ...(type === 'atomic' ? [] : [type])].join(', ')
}

function table (head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

const code = (text: string): string => `\`${text}\``
const codes = (texts: string[]): string => texts.map(code).join(', ')
