/** What a probe of the owner's prints: a JSON object of plain values, or packets of PSYC with its variables. */

import { PacketReader } from '../src/psyc/packet-reader.ts'
import { WireError } from '../src/wire/layout.ts'

/** Bytes of one probe: more is no measurement. */
export const PROBE_OUTPUT_MAX = 4_096
/** Each is a variable of every status. */
const VALUES_MAX = 16
const VALUE_SIZE_MAX = 256
const NAME_MAX = 48
const NAME = /^[a-z0-9]+(?:_[a-z0-9]+)*$/
const OPEN_BRACE = 0x7b
const SPACE = 0x20

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Values by their names. Throws WireError where it is neither, or too much. */
export function parseProbeOutput(output: Uint8Array): Map<string, string> {
  if (output.length > PROBE_OUTPUT_MAX) throw misfit('it is too long')
  const first = output.find(byte => byte > SPACE)
  const entries = first === OPEN_BRACE ? jsonEntries(output) : packetEntries(output)
  const values = new Map<string, string>()
  for (const [name, value] of entries) {
    const key = name.toLowerCase().replaceAll('-', '_')
    if (!NAME.test(key) || key.length > NAME_MAX)
      throw misfit('it has a name that is none: a-z, 0-9, _')
    if (encoder.encode(value).length > VALUE_SIZE_MAX)
      throw misfit(`"${key}" has more than ${VALUE_SIZE_MAX} bytes`)
    values.set(key, value)
  }
  if (values.size > VALUES_MAX) throw misfit(`it has more than ${VALUES_MAX} values`)
  return values
}

function jsonEntries(output: Uint8Array): [string, string][] {
  let value: object
  try {
    value = JSON.parse(decoder.decode(output)) as object
  } catch {
    throw misfit('it is no JSON')
  }
  return Object.entries(value).flatMap(([name, one]: [string, unknown]): [string, string][] => {
    // What is not known now.
    if (one === null) return []
    if (typeof one === 'object') throw misfit(`"${name.slice(0, NAME_MAX)}" is no plain value`)
    return [[name, `${one}`]]
  })
}

/** An empty line, `=_queue_length`, TAB, `7` a line each, then `|`: the variables without their first underscore. */
function packetEntries(output: Uint8Array): [string, string][] {
  const found: [string, string][] = []
  let isOther = false
  const reader = new PacketReader(view => {
    const { routing, entity } = view.packet()
    isOther ||= routing.length > 0
    for (const { operator, name, value } of entity) {
      isOther ||= operator !== '=' && operator !== ':'
      found.push([name.replace(/^_/, ''), textOf(value)])
    }
  }, PROBE_OUTPUT_MAX)
  try {
    reader.push(output)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw misfit('it is neither JSON nor PSYC')
  }
  if (reader.waiting > 0) throw misfit('it is neither JSON nor a whole packet of PSYC')
  if (isOther) throw misfit('it has more than variables that are so')
  return found
}

function textOf(value: Uint8Array): string {
  try {
    return decoder.decode(value)
  } catch {
    throw misfit('a value is no UTF-8')
  }
}

const misfit = (what: string): WireError => new WireError('PROBE', 'output', 0, what)
