/**
 * Records as people read and write them: `box name add kitchen TXT "hello"`. What GNUnet's tools
 * print is followed where they have a form; what has none, or cannot be read, is shown as RFC 3597
 * wants: `\# 3 0a0b0c`. Text is escaped as in a zone file, so that nothing printed here can move a cursor.
 */

import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { peerId } from '../base/ids.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'
import { ipv4Text, ipv6Text, parseIpv4, parseIpv6 } from './address-text.ts'
import { zoneFromText, zoneToText } from './name.ts'
import { RECORD_TYPE } from './record.ts'
import * as data from './record-data.ts'

/** One type's text form. */
interface Form {
  print(bytes: Uint8Array): string
  /** Throws BoxError or WireError. */
  parse(input: string): Uint8Array
  /** What a person should have written. */
  readonly usage: string
}

const GENERIC = '\\#'
const KEY_SIZE = 32

/** The data as text. Never throws. */
export function recordText(type: number, bytes: Uint8Array): string {
  try {
    return FORMS[type]?.print(bytes) ?? genericText(bytes)
  } catch {
    return genericText(bytes)
  }
}

/** The data of a record of this type. Throws INPUT_INVALID with what would have been right. */
export function parseRecordText(type: number, input: string): Uint8Array {
  const form = FORMS[type]
  if (input.startsWith(`${GENERIC} `)) return parseGeneric(input)
  if (!form) throw invalid(type, 'for example: \\# 3 0a0b0c')
  try {
    return form.parse(input)
  } catch (cause) {
    throw invalid(type, form.usage, cause)
  }
}

/** `TXT`, `EDKEY`; `TYPE99` where there is no name. */
export const typeName = (type: number): string =>
  Object.entries(RECORD_TYPE).find(([, number]) => number === type)?.[0] ?? `TYPE${type}`

/** The number of a type by its name, TYPE99, or the number itself. Throws INPUT_INVALID. */
export function typeNumber(name: string): number {
  const known = Object.entries(RECORD_TYPE).find(([key]) => key === name.toUpperCase())
  const number = known
    ? known[1]
    : Number(/^(?:TYPE)?([0-9]{1,10})$/i.exec(name)?.[1] ?? Number.NaN)
  if (!(number > 0 && number <= 0xffff_ffff))
    throw new BoxError('INPUT_INVALID', `There is no record type of this name.`)
  return number
}

const invalid = (type: number, usage: string, cause?: unknown): BoxError =>
  new BoxError('INPUT_INVALID', `A ${typeName(type)} record is written so: ${usage}`, cause)

const genericText = (bytes: Uint8Array): string =>
  bytes.length === 0 ? `${GENERIC} 0` : `${GENERIC} ${bytes.length} ${hexText(bytes)}`

function parseGeneric(input: string): Uint8Array {
  const [, size, hex = ''] = input.trim().split(/\s+/)
  const bytes = parseHex(hex)
  if (String(bytes.length) !== size)
    throw new BoxError('INPUT_INVALID', `The data have ${bytes.length} bytes, not ${size}.`)
  return bytes
}

const hexText = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

function parseHex(hex: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(hex)) throw new BoxError('INPUT_INVALID', 'This is no hexadecimal.')
  return Uint8Array.from(hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16))
}

/** What would move a cursor, or could be taken for an escape. */
const RISKY = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\\]/gu

const escapeText = (value: string): string =>
  value.replace(RISKY, character =>
    character === '\\'
      ? '\\\\'
      : Array.from(new TextEncoder().encode(character), byte =>
          `\\${byte}`.replace(/\d+/, pad),
        ).join(''),
  )
const pad = (digits: string): string => digits.padStart(3, '0')

/** Bytes of a text in which `\DDD` stands for a byte and `\x` for the character x. */
function unescapeText(value: string): Uint8Array {
  const encoder = new TextEncoder()
  const parts = value.match(/\\[0-9]{3}|\\[^0-9]|[^\\]+|\\/gu) ?? []
  return concat(
    ...parts.map(part => {
      if (!part.startsWith('\\')) return encoder.encode(part)
      const code = Number(part.slice(1))
      if (part.length === 1 || (part.length === 4 && code > 255))
        throw new BoxError('INPUT_INVALID', 'An escape is "\\\\" or "\\000" to "\\255".')
      return part.length === 4 ? Uint8Array.of(code) : encoder.encode(part.slice(1))
    }),
  )
}

function whole(input: string | undefined, max = 0xffff): number {
  const value = Number(input)
  if (!/^[0-9]+$/.test(input ?? '') || value > max)
    throw new BoxError('INPUT_INVALID', `A number from 0 to ${max} is wanted.`)
  return value
}

/** Exactly `count` words; the last takes what remains. */
function words(input: string, count: number): string[] {
  const found = input.trim().match(new RegExp(`^${'(\\S+)\\s+'.repeat(count - 1)}(\\S.*)$`, 'su'))
  if (!found) throw new BoxError('INPUT_INVALID', `${count} words are wanted.`)
  return found.slice(1)
}

const present = <T>(value: T | null): T => {
  if (value === null) throw new BoxError('INPUT_INVALID')
  return value
}

const textForm = (usage: string): Form => ({
  usage,
  print: bytes => escapeText(data.text.decode(bytes)),
  parse: input => data.text.encode(data.text.decode(unescapeText(input))),
})

const nameForm: Form = {
  usage: 'www.example.org',
  print: bytes => data.host.decode(bytes),
  parse: input => data.host.encode(input.trim()),
}

const zoneForm = (type: number): Form => ({
  usage: '000G… (the text of a zone key)',
  print: bytes => zoneToText(data.delegation(type).decode(bytes)),
  parse: input => data.delegation(type).encode(zoneFromText(input.trim())),
})

const a: Form = {
  usage: '192.0.2.1',
  print: bytes => ipv4Text(data.a.decode(bytes)),
  parse: input => present(parseIpv4(input.trim())),
}

const aaaa: Form = {
  usage: '2001:db8::1',
  print: bytes => ipv6Text(data.aaaa.decode(bytes)),
  parse: input => present(parseIpv6(input.trim())),
}

const srv: Form = {
  usage: 'PRIORITY WEIGHT PORT TARGET, for example 10 5 22 host.example.org',
  print: bytes => {
    const { priority, weight, port, target } = data.srv.decode(bytes)
    return `${priority} ${weight} ${port} ${target}`
  },
  parse: input => {
    const [priority, weight, port, target] = words(input, 4)
    const numbers = { priority: whole(priority), weight: whole(weight), port: whole(port) }
    return data.srv.encode({ ...numbers, target: target! })
  },
}

const mx: Form = {
  usage: 'PREFERENCE HOST, for example 10 mail.example.org',
  print: bytes => {
    const { preference, host } = data.mx.decode(bytes)
    return `${preference} ${host}`
  },
  parse: input => {
    const [preference, host] = words(input, 2)
    return data.mx.encode({ preference: whole(preference), host: host! })
  },
}

const sshfp: Form = {
  usage: 'ALGORITHM HASH FINGERPRINT, as ssh-keygen -r prints it',
  print: bytes => {
    const { algorithm, hash, fingerprint } = data.sshfp.decode(bytes)
    return `${algorithm} ${hash} ${hexText(fingerprint)}`.trimEnd()
  },
  parse: input => {
    const [algorithm, hash, ...hex] = input.trim().split(/\s+/)
    const fingerprint = parseHex(hex.join(''))
    return data.sshfp.encode({
      algorithm: whole(algorithm, 255),
      hash: whole(hash, 255),
      fingerprint,
    })
  },
}

const gns2dns: Form = {
  usage: 'NAME@SERVER, for example example.org@9.9.9.9',
  print: bytes => {
    const { name, server } = data.gns2dns.decode(bytes)
    return escapeText(`${name}@${server}`)
  },
  parse: input => {
    const [, name, server] = present(
      /^([^@]+)@([^@\s]+)$/u.exec(data.text.decode(unescapeText(input))),
    )
    return data.gns2dns.encode({ name: name!, server: server! })
  },
}

const box: Form = {
  usage: 'PROTOCOL SERVICE TYPE DATA, for example 6 22 SRV 0 0 22 host.+',
  print: bytes => {
    const { protocol, service, type, data: inner } = data.box.decode(bytes)
    return `${protocol} ${service} ${type} ${recordText(type, inner)}`
  },
  parse: input => {
    const [, protocol, service, name, rest = ''] = present(
      /^\s*(\S+)\s+(\S+)\s+(\S+)(?:\s(.*))?$/su.exec(input),
    )
    const type = typeNumber(name!)
    if (type === RECORD_TYPE.BOX) throw new BoxError('INPUT_INVALID', 'A BOX holds no BOX.')
    const inner = parseRecordText(type, rest)
    return data.box.encode({
      protocol: whole(protocol),
      service: whole(service),
      type,
      data: inner,
    })
  },
}

const vpn: Form = {
  usage: 'PROTOCOL PEER SERVICE',
  print: bytes => {
    const { peer, protocol, service } = data.vpn.decode(bytes)
    return `${protocol} ${encodeBase32(peer)} ${escapeText(service)}`
  },
  parse: input => {
    const [protocol, peer, service] = words(input, 3)
    return data.vpn.encode({
      peer: peerId(decodeBase32(peer!, KEY_SIZE)),
      protocol: whole(protocol),
      service: data.text.decode(unescapeText(service!)),
    })
  },
}

const place: Form = {
  usage: 'KEY ORIGIN [RELAY...], each in the text form of a peer',
  print: bytes => {
    const { key, origin, relays } = data.place.decode(bytes)
    return [key, origin, ...relays].map(part => encodeBase32(part)).join(' ')
  },
  parse: input => {
    const keys = input.trim().split(/\s+/)
    const [key, origin, ...relays] = keys.map(part => peerId(decodeBase32(part, KEY_SIZE)))
    return data.place.encode({ key: present(key ?? null), origin: present(origin ?? null), relays })
  },
}

const FORMS: Readonly<Record<number, Form>> = {
  [RECORD_TYPE.A]: a,
  [RECORD_TYPE.AAAA]: aaaa,
  [RECORD_TYPE.NS]: nameForm,
  [RECORD_TYPE.CNAME]: nameForm,
  [RECORD_TYPE.PTR]: nameForm,
  [RECORD_TYPE.MX]: mx,
  [RECORD_TYPE.SRV]: srv,
  [RECORD_TYPE.SSHFP]: sshfp,
  [RECORD_TYPE.TXT]: textForm('any text'),
  [RECORD_TYPE.NICK]: textForm('a label, for example kitchen'),
  [RECORD_TYPE.LEHO]: textForm('www.example.org'),
  [RECORD_TYPE.REDIRECT]: textForm('www.friend, or www.+ for this same zone'),
  [RECORD_TYPE.PKEY]: zoneForm(RECORD_TYPE.PKEY),
  [RECORD_TYPE.EDKEY]: zoneForm(RECORD_TYPE.EDKEY),
  [RECORD_TYPE.GNS2DNS]: gns2dns,
  [RECORD_TYPE.BOX]: box,
  [RECORD_TYPE.VPN]: vpn,
  [RECORD_TYPE.PLACE]: place,
}
