/** The differences of two texts, line by line, in the form that `diff -u` made usual. */

const CONTEXT = 3
/** Beyond, the table of the comparison would take too much memory. */
const CELLS_MAX = 4_000_000

type Line = readonly [mark: ' ' | '-' | '+', text: string]

/** The lines to show, without the names of the files; none where the texts are the same. */
export function lineDiff(before: string, after: string): string[] {
  if (before === after) return []
  const [a, b] = [splitLines(before), splitLines(after)]
  const lines = compare(a, b)
  if (!lines) return [`${a.length} lines became ${b.length} others`]
  return hunks(lines)
}

const splitLines = (text: string): string[] => {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  else lines[lines.length - 1] += '\n\\ No newline at end of file'
  return lines
}

/** All lines with their marks; null where that is too much. */
function compare(a: readonly string[], b: readonly string[]): Line[] | null {
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  const most = Math.min(a.length, b.length) - head
  while (tail < most && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const middle = longest(a.slice(head, a.length - tail), b.slice(head, b.length - tail))
  if (!middle) return null
  const same = (line: string): Line => [' ', line]
  const rest = tail === 0 ? [] : a.slice(-tail)
  return [...a.slice(0, head).map(same), ...middle, ...rest.map(same)]
}

/** By the longest common subsequence. */
function longest(a: readonly string[], b: readonly string[]): Line[] | null {
  const width = b.length + 1
  if ((a.length + 1) * width > CELLS_MAX) return null
  const table = new Uint32Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i * width + j] =
        a[i] === b[j]
          ? table[(i + 1) * width + j + 1]! + 1
          : Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!)
  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push([' ', a[i++]!])
      j++
    } else if (
      j === b.length ||
      (i < a.length && table[(i + 1) * width + j]! >= table[i * width + j + 1]!)
    )
      lines.push(['-', a[i++]!])
    else lines.push(['+', b[j++]!])
  }
  return lines
}

/** What changed with some lines around it; `@@` says where. */
function hunks(lines: readonly Line[]): string[] {
  const near = lines.map((_, at) =>
    lines.slice(Math.max(at - CONTEXT, 0), at + CONTEXT + 1).some(([mark]) => mark !== ' '),
  )
  const shown: string[] = []
  let [old, fresh] = [1, 1]
  lines.forEach(([mark, text], at) => {
    if (near[at]) {
      if (!near[at - 1]) shown.push(`@@ -${old} +${fresh} @@`)
      shown.push(`${mark}${text}`)
    }
    if (mark !== '+') old++
    if (mark !== '-') fresh++
  })
  return shown
}
