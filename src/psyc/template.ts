/**
 * Texts with variables in them (`text/x-psyc`): `[_nick] enters [_context]`. What is not known stays as it
 * is, so that a newer text still reads well. Also conditions: `[? _var]if there[:]if not[;]`, `[! _var]…[;]`.
 *
 * A value is put in as it is and never looked at again: nothing in it can be a variable.
 */

const TOKEN = /\[(?:([?!]) )?([A-Za-z0-9_]*)\]|\[([:;])\]/g

type Lookup = (name: string) => string | null

export function fillTemplate(text: string, lookup: Lookup): string {
  let out = ''
  let from = 0
  /** Whether what stands here is shown, for each condition around it; and how many say no. */
  const shown: boolean[] = []
  let hidden = 0
  const open = (isShown: boolean) => {
    shown.push(isShown)
    if (!isShown) hidden++
  }
  const close = (): boolean => {
    const wasShown = shown.pop()!
    if (!wasShown) hidden--
    return wasShown
  }
  const show = (piece: string) => {
    if (hidden === 0) out += piece
  }
  for (const token of text.matchAll(TOKEN)) {
    const [whole, test, name, mark] = token
    show(text.slice(from, token.index))
    from = token.index + whole.length
    if (mark === ':' && shown.length > 0) open(!close())
    else if (mark === ';' && shown.length > 0) close()
    else if (test && name) open((lookup(name) !== null) === (test === '?'))
    else show(test || mark || !name ? whole : (lookup(name) ?? whole))
  }
  show(text.slice(from))
  return out
}
