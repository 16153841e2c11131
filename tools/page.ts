// Builds the inspection page into dist/src/inspect/page: one script with everything in it, one stylesheet, one document. The
// charts of the machines are laid out here, once.

import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { placedCharts } from './machines.ts'

const source = 'src/inspect/page'
const target = 'dist/src/inspect/page'

/** `import charts from 'spar-charts'`. */
const charts: Plugin = {
  name: 'charts',
  setup ({ onResolve, onLoad }) {
    onResolve({ filter: /^spar-charts$/ }, () => ({ path: 'spar-charts', namespace: 'charts' }))
    onLoad({ filter: /.*/, namespace: 'charts' }, async () => ({ contents: JSON.stringify(await placedCharts()), loader: 'json' }))
  }
}

/** What the script carries of others says whose it is. */
const license = readFileSync(join(dirname(createRequire(import.meta.url).resolve('preact/package.json')), 'LICENSE'), 'utf8')

mkdirSync(target, { recursive: true })
await build({
  entryPoints: [join(source, 'app.tsx')], outfile: join(target, 'app.js'), plugins: [charts],
  bundle: true, format: 'esm', target: 'es2023', charset: 'utf8', minify: true, legalComments: 'none', banner: { js: `/*\nPreact. ${license.trim()}\n*/` }, jsx: 'automatic', jsxImportSource: 'preact', tsconfigRaw: {}
})
await build({ entryPoints: [join(source, 'app.css')], outfile: join(target, 'app.css'), bundle: true, minify: true, charset: 'utf8', target: 'es2023' })
copyFileSync(join(source, 'index.html'), join(target, 'index.html'))
