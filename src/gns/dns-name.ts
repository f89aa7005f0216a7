/** Names as DNS records carry them: labels led by their length, never compressed (RFC 1035 section 3.1). */

import { type Cursor, type Field, u8 } from '../wire/layout.ts'

const NAME_SIZE_MAX = 255
const LABEL_SIZE_MAX = 63
const ROOT = '.'
/** Printable ASCII but for the dot. */
const LABEL = /^[!-\-/-~]+$/

/** `www.example.org`: without a dot at its end, except for the root. */
export const dnsName: Field<string> = {
  unit: 'DNS name',
  width: null,
  measure: name => labelsOf(name).reduce((size, label) => size + 1 + label.length, 1),
  put: (to, name, whole) => {
    const labels = labelsOf(name)
    for (const label of labels) {
      if (!LABEL.test(label) || label.length > LABEL_SIZE_MAX)
        throw new RangeError('a label has 1 to 63 ASCII characters')
      u8.put(to, label.length, whole)
      const at = to.take(label.length)
      for (let i = 0; i < label.length; i++) to.bytes[at + i] = label.charCodeAt(i)
    }
    u8.put(to, 0, whole)
    if (dnsName.measure(name) > NAME_SIZE_MAX) throw new RangeError('a name has 255 bytes at most')
  },
  get: from => readName(from),
  sample: random => `host${random.below(1_000)}.example.org`,
}

const labelsOf = (name: string): string[] =>
  name === ROOT ? [] : name.replace(/\.$/, '').split('.')

function readName(from: Cursor): string {
  const start = from.at
  const labels: string[] = []
  for (;;) {
    const size = u8.get(from, {})
    if (size === 0) break
    if (size > LABEL_SIZE_MAX) throw new RangeError('compression has no place here')
    const at = from.take(size)
    if (from.at - start >= NAME_SIZE_MAX) throw new RangeError('a name has 255 bytes at most')
    const label = String.fromCharCode(...from.bytes.subarray(at, at + size))
    if (!LABEL.test(label)) throw new RangeError('a label has a character that may not stand there')
    labels.push(label)
  }
  return labels.join('.') || ROOT
}
