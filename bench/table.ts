/** Columns padded to their widest cell, numbers to the right; the first row is the head. */
export function formatTable(rows: readonly (readonly string[])[], leftColumns: number): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i < leftColumns ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
  const rule = widths.map((w) => '-'.repeat(w)).join('  ')
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}
