// The charts of all machines, placed when the page is built: see tools/page.ts.
declare module 'spar-charts' {
  const charts: Record<string, import('../chart/placed.ts').Chart>
  export default charts
}
