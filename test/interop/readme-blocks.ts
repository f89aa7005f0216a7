/**
 * The command blocks of README.md. Before each fence stands a comment that readers do not see:
 *
 *     <!-- device, stays -->       on which machine, and what is special about it
 */

const FENCE = /^```(.*)$/
const MARK = /^<!-- (.+) -->$/

export interface Block {
  /** Of its first line of text. */
  readonly line: number
  readonly machine: string
  readonly text: string
  /** It is a file of this name, and nothing to type. */
  readonly file: string | null
  /** It goes on running. */
  readonly stays: boolean
  /** It shows the pairing code, and waits. */
  readonly pairs: boolean
  /** What must be in its output. */
  readonly prints: string | null
}

/** All blocks, in their order. Throws where one is not marked, since nobody would run it. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  const lines = markdown.split('\n')
  let begun: number | null = null
  lines.forEach((line, at) => {
    if (!FENCE.test(line)) {
      if (begun === null && /^( {4}|\t)/.test(line))
        throw new Error(`README.md:${at + 1}: an indented block cannot be marked`)
      return
    }
    if (begun === null) {
      begun = at
      return
    }
    blocks.push(blockOf(lines, begun, at))
    begun = null
  })
  return blocks
}

function blockOf(lines: readonly string[], begun: number, end: number): Block {
  const [, mark] = MARK.exec(lines[begun - 1] ?? '') ?? []
  if (!mark) throw new Error(`README.md:${begun + 1}: this block is not marked, so nobody runs it`)
  const [machine, ...traits] = mark.split(', ')
  const after = (word: string) =>
    traits.find(trait => trait.startsWith(`${word} `))?.slice(word.length + 1) ?? null
  return {
    line: begun + 2,
    machine: machine!,
    text: lines.slice(begun + 1, end).join('\n'),
    file: after('file'),
    stays: traits.includes('stays'),
    pairs: traits.includes('shows the code'),
    prints: after('prints'),
  }
}
