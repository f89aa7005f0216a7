/**
 * Uniforms, the addresses of PSYC (docs/psyc.md): `psyc://host:port/~person#channel`. For us the host is a
 * GNS name or a zone key and the transport `g`, without a port.
 */

import { BoxError } from '../base/errors.ts'

export interface Uniform {
  readonly host: string
  /** Negative: cannot be connected to. */
  readonly port: number | null
  /** c TCP, d UDP, s TLS, g GNUnet. */
  readonly transport: 'c' | 'd' | 's' | 'g' | null
  /** With its first character: `~person`, `@place`, `$service`; null where there is none. */
  readonly resource: string | null
  readonly channel: string | null
}

/** Longer than a name of the DNS and a zone key together. */
const SIZE_MAX = 1_024
const SCHEME = /^psyc:\/\//i
const HOST = /^[A-Za-z0-9.-]+/
const NAME = /^[A-Za-z$-;_!?=@~]*$/
const PORT = /^(-?\d{1,5})?([a-z])?$/
const PORT_MAX = 65_535

/** Throws BoxError INPUT_INVALID, which says what part is wrong. */
export function parseUniform(text: string): Uniform {
  if (text.length > SIZE_MAX) throw wrong('it is too long')
  if (!/^psyc:/i.test(text)) throw wrong('the scheme is not psyc')
  if (!SCHEME.test(text)) throw wrong('two slashes must follow the scheme')
  const host = HOST.exec(text.slice('psyc://'.length))?.[0]
  if (!host) throw wrong('the host is missing')
  const rest = text.slice('psyc://'.length + host.length)
  const slash = rest.indexOf('/')
  const { port, transport } = parsePort(slash < 0 ? rest : rest.slice(0, slash))
  const path = slash < 0 ? '' : rest.slice(slash + 1)
  const hash = path.indexOf('#')
  const resource = hash < 0 ? path : path.slice(0, hash)
  const channel = hash < 0 ? null : path.slice(hash + 1)
  if (!NAME.test(resource)) throw wrong('the resource has a character that is not allowed')
  if (channel !== null && !NAME.test(channel))
    throw wrong('the channel has a character that is not allowed')
  return { host, port, transport, resource: resource || null, channel }
}

export function renderUniform({ host, port, transport, resource, channel }: Uniform): string {
  const where = port === null && transport === null ? '' : `:${port ?? ''}${transport ?? ''}`
  const path = resource === null && channel === null ? '' : `/${resource ?? ''}`
  return `psyc://${host}${where}${path}${channel === null ? '' : `#${channel}`}`
}

/** The address without channel and resource. */
export const rootOf = (uniform: Uniform): Uniform => ({ ...uniform, resource: null, channel: null })
/** The address without its channel: who is meant. */
export const entityOf = (uniform: Uniform): Uniform => ({ ...uniform, channel: null })
/** The name of a person or place, without the character before it. */
export const nickOf = ({ resource }: Uniform): string | null =>
  resource && '~@$'.includes(resource[0]!) ? resource.slice(1) : resource

function parsePort(text: string): Pick<Uniform, 'port' | 'transport'> {
  if (text === '') return { port: null, transport: null }
  if (text[0] !== ':') throw wrong('the host has a character that is not allowed')
  const found = PORT.exec(text.slice(1))
  if (!found) throw wrong('the port is none')
  const [, digits, letter] = found
  const port = digits === undefined ? null : Number(digits)
  if (port !== null && Math.abs(port) > PORT_MAX) throw wrong('the port is too large')
  const transport = letter === undefined ? null : transportOf(letter)
  if (port === null && transport !== 'g') throw wrong('the port is missing')
  if (port !== null && transport === 'g') throw wrong('GNUnet has no port')
  return { port, transport }
}

function transportOf(letter: string): NonNullable<Uniform['transport']> {
  if (letter === 'c' || letter === 'd' || letter === 's' || letter === 'g') return letter
  throw wrong('the transport is unknown')
}

const wrong = (detail: string): BoxError =>
  new BoxError('INPUT_INVALID', `The uniform is wrong: ${detail}.`)
