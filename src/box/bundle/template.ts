/**
 * Files with gaps: `{{ name }}` is a value of the device, `{{ if @tag }} … {{ else }} … {{ end }}` depends on
 * its tags (`if not @tag` as well, `if name` on a device's name). `{{ "{{" }}` writes two braces. Nothing else:
 * no loops, no expressions, so that one can see what comes out.
 */

import type { Place } from './yaml-document.ts'

/** Whom a text is made out to. */
export interface Recipient {
  readonly name: string
  readonly tags: readonly string[]
  /** `device.name` is there without being said. */
  readonly values: ReadonlyMap<string, string>
}

export type Template = readonly Part[]

type Part =
  | { readonly is: 'text'; readonly text: string }
  | ({ readonly is: 'value'; readonly name: string } & Place)
  | ({ readonly is: 'choice' } & Condition & {
        readonly chosen: Part[]
        readonly otherwise: Part[]
      })

interface Condition {
  /** `@tag` or the name of a device. */
  readonly subject: string
  readonly negated: boolean
}

/** Nested deeper, nobody can read it. */
const DEPTH_MAX = 16
const VALUE_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/
const CONDITION = /^if\s+(not\s+)?(@?[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]*)$/u

export const isValueName = (name: string): boolean => VALUE_NAME.test(name)

interface Open {
  readonly choice: Extract<Part, { is: 'choice' }> | null
  readonly at: Place
  into: Part[]
  elseSeen: boolean
}

/** The parts of a text. `problem` hears what is wrong; the template is of no use then. */
export function parseTemplate(
  text: string,
  problem: (at: Place, message: string) => void,
): Template {
  const whole: Part[] = []
  const stack: Open[] = [{ choice: null, at: { line: 1, column: 1 }, into: whole, elseSeen: false }]
  const place = placesOf(text)
  let end = 0
  for (const found of text.matchAll(/\{\{([^\n]*?)\}\}|\{\{/g)) {
    const top = stack.at(-1)!
    if (found.index > end) top.into.push({ is: 'text', text: text.slice(end, found.index) })
    end = found.index + found[0].length
    const at = place(found.index)
    if (found[1] === undefined) problem(at, 'This {{ is not closed on its line.')
    else gap(found[1].trim(), at, stack, problem)
    // Nothing reads on: whoever walks through the parts would come as deep.
    if (stack.length > DEPTH_MAX + 1) return whole
  }
  if (end < text.length) stack.at(-1)!.into.push({ is: 'text', text: text.slice(end) })
  for (const { choice, at } of stack) if (choice) problem(at, 'This {{ if }} has no {{ end }}.')
  return whole
}

function gap(
  said: string,
  at: Place,
  stack: Open[],
  problem: (at: Place, message: string) => void,
): void {
  const top = stack.at(-1)!
  const condition = CONDITION.exec(said)
  if (said === '"{{"') top.into.push({ is: 'text', text: '{{' })
  else if (condition) {
    if (stack.length > DEPTH_MAX) problem(at, 'This is nested too deeply.')
    const [, not, subject] = condition
    const choice = {
      ...{ is: 'choice' as const, subject: subject!, negated: not !== undefined },
      ...{ chosen: [], otherwise: [] },
    }
    top.into.push(choice)
    stack.push({ choice, at, into: choice.chosen, elseSeen: false })
  } else if (said === 'else') {
    if (!top.choice || top.elseSeen) problem(at, 'This {{ else }} belongs to no {{ if }}.')
    else {
      top.elseSeen = true
      top.into = top.choice.otherwise
    }
  } else if (said === 'end') {
    if (top.choice) stack.pop()
    else problem(at, 'This {{ end }} belongs to no {{ if }}.')
  } else if (isValueName(said)) top.into.push({ is: 'value', name: said, ...at })
  else problem(at, `"${said}" is neither a value nor if, else, end.`)
}

/** The gaps a device would have filled, in order; those of branches it does not take are left out. */
export function gapsOf(
  template: Template,
  recipient: Recipient,
): readonly (Place & { readonly name: string })[] {
  return template.flatMap(part => {
    if (part.is === 'value') return [part]
    return part.is === 'choice' ? gapsOf(branch(part, recipient), recipient) : []
  })
}

/** Every gap, of all branches. */
export const allGaps = (template: Template): readonly (Place & { readonly name: string })[] =>
  template.flatMap(part => {
    if (part.is === 'value') return [part]
    return part.is === 'choice' ? [...allGaps(part.chosen), ...allGaps(part.otherwise)] : []
  })

/** The value of a gap; null where the device has none. */
export const gapValue = ({ name, values }: Recipient, gap: string): string | null =>
  values.get(gap) ?? (gap === 'device.name' ? name : null)

/** The text for one device, which has a value for each gap. */
export const fill = (template: Template, recipient: Recipient): string =>
  template
    .map(part => {
      if (part.is === 'text') return part.text
      if (part.is === 'value') return gapValue(recipient, part.name) ?? ''
      return fill(branch(part, recipient), recipient)
    })
    .join('')

/** Whether `@tag` or a name means this device. */
export const isMeant = (subject: string, { name, tags }: Recipient): boolean =>
  subject.startsWith('@') ? tags.includes(subject.slice(1)) : name === subject

const branch = (part: Extract<Part, { is: 'choice' }>, recipient: Recipient): Part[] =>
  isMeant(part.subject, recipient) !== part.negated ? part.chosen : part.otherwise

/** Where offsets are that only grow: the text is gone through once, however many there are. */
function placesOf(text: string): (offset: number) => Place {
  let line = 1
  let begin = 0
  let end = text.indexOf('\n')
  return offset => {
    while (end >= 0 && end < offset) {
      line++
      begin = end + 1
      end = text.indexOf('\n', begin)
    }
    return { line, column: offset - begin + 1 }
  }
}
