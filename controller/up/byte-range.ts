/** The part of a file that is asked for (RFC 9110, section 14), and how a file is called in an answer (RFC 6266). */

/** From the byte `from` up to, and without, `to`. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

interface RangeHeaders {
  readonly range?: string | undefined
  readonly 'if-range'?: string | string[] | undefined
}

/** Null where all of it is meant: nothing is said, several parts are, or those of a file that is another one now. */
export function rangeIn(
  { range, 'if-range': known }: RangeHeaders,
  { size, etag }: { readonly size: number; readonly etag: string },
): ByteRange | 'outside' | null {
  if (range === undefined || (known !== undefined && known !== etag)) return null
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range) ?? []
  if (first === undefined || last === undefined || first + last === '') return null
  if (first === '') return last === '0' || size === 0 ? 'outside' : tail(Number(last), size)
  const from = Number(first)
  const to = last === '' ? size : Math.min(Number(last) + 1, size)
  if (last !== '' && Number(last) < from) return null
  return from < size ? { from, to } : 'outside'
}

const tail = (count: number, size: number): ByteRange => ({
  from: Math.max(0, size - count),
  to: size,
})

/** To be kept, and never shown as part of a page. */
export function attachment(name: string): string {
  const plain = name.replaceAll(/[^\w.-]/g, '_')
  const whole = encodeURIComponent(name.replaceAll(/[\ud800-\udfff]/gu, '\ufffd')).replaceAll(
    /['()*]/g,
    char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${plain}"; filename*=UTF-8''${whole}`
}
