// A plain text table: columns as wide as their widest cell, numbers to the right.

export function renderTable (head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => (row[column] ?? '').length)))
  const isNumber = head.map((_, column) => rows.length > 0 && rows.every(row => /^[-+.\d/%±]*$/.test(row[column] ?? '')))
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => isNumber[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)).join('  ').trimEnd()
  return [line(head), widths.map(width => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n')
}

/** With a decimal. */
export const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
