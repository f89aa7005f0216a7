/**
 * Parsers beside each other in one run: our PSYC packets, JSON.parse, and two XML parsers (ltx, saxes).
 *
 *     npm run build && cd bench && npm ci && node psyc.mjs [--rounds 5] [--ms 400]
 *
 * Small: a chat message with source, target, tag and a nick. Status: a notice with ten variables. Binary: a body of
 * 256 bytes to 1 MB of random bytes, which PSYC carries as they are and JSON and XML in base64, decoded again.
 * Each parser must give the fields: method, nick, text. Medians over the rounds; all run in every round.
 */

import { randomBytes } from 'node:crypto'
import { parse as parseXml } from 'ltx'
import { SaxesParser } from 'saxes'
import { modifier, packet, renderPacket } from '../dist/src/psyc/packet.js'
import { PacketReader } from '../dist/src/psyc/packet-reader.js'
import { median, round } from './lib/measure.mjs'

const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}
const ROUNDS = option('rounds', 5)
const ROUND_MS = option('ms', 400)
/** Packets that arrive in one chunk, as from a busy line. */
const BATCH = 64
const BINARY_SIZES = [256, 7_000, 70_000, 700_000]

const decoder = new TextDecoder()
const routing = [
  modifier(':', '_source', 'psyc://example.net/~alice'),
  modifier(':', '_target', 'psyc://example.org/~bob'),
  modifier(':', '_tag', 'sch1828hu3r2cm'),
]
const text = 'hello there, how are you?'
const variables = Array.from({ length: 10 }, (_, at) => [`_amount_figure_${at}`, `${at * 12_345}`])

const psycOf = parts => renderPacket(packet(parts))
const xmlOf = (fields, body) =>
  `<message from="psyc://example.net/~alice" to="psyc://example.org/~bob" id="sch1828hu3r2cm">${fields
    .map(([name, value]) => `<${name.slice(1)}>${value}</${name.slice(1)}>`)
    .join('')}<body>${body}</body></message>`
const jsonOf = (fields, body) =>
  JSON.stringify({
    source: 'psyc://example.net/~alice',
    target: 'psyc://example.org/~bob',
    tag: 'sch1828hu3r2cm',
    method: '_message_private',
    ...Object.fromEntries(fields),
    body,
  })

/** How each reads `count` messages that lie in the bytes one after the other; returns something that depends on them. */
function psycReader(look) {
  let sum = 0
  const reader = new PacketReader(view => {
    sum += look(view)
  })
  return bytes => {
    reader.push(bytes)
    return sum
  }
}

const asLines = one => Buffer.from(Array.from({ length: BATCH }, () => one).join('\n'))
const readJson = look => bytes => {
  let sum = 0
  for (const line of decoder.decode(bytes).split('\n')) sum += look(JSON.parse(line))
  return sum
}
const readLtx = look => bytes => {
  let sum = 0
  for (const line of decoder.decode(bytes).split('\n')) sum += look(parseXml(line))
  return sum
}
const readSaxes = look => bytes => {
  let sum = 0
  for (const line of decoder.decode(bytes).split('\n')) {
    const fields = {}
    let name = ''
    const parser = new SaxesParser()
    parser.on('opentag', tag => {
      name = tag.name
      fields[name] = ''
    })
    parser.on('text', piece => {
      fields[name] += piece
    })
    parser.write(line).close()
    sum += look(fields)
  }
  return sum
}

function small() {
  const one = psycOf({
    routing,
    entity: [modifier(':', '_nick', 'alice')],
    method: '_message_private',
    data: new TextEncoder().encode(text),
  })
  const all = Buffer.concat(Array.from({ length: BATCH }, () => one))
  const fields = [['_nick', 'alice']]
  return {
    'psyc, views': [all, psycReader(view => view.method.length + view.data().length)],
    'psyc, texts': [
      all,
      psycReader(
        view =>
          view.method.length +
          decoder.decode(view.find('_nick')).length +
          decoder.decode(view.data()).length,
      ),
    ],
    'JSON.parse': [
      asLines(jsonOf(fields, text)),
      readJson(value => value.method.length + value._nick.length + value.body.length),
    ],
    ltx: [asLines(xmlOf(fields, text)), readLtx(node => node.getChildText('body').length)],
    saxes: [asLines(xmlOf(fields, text)), readSaxes(({ body }) => body.length)],
  }
}

function state() {
  const one = psycOf({
    routing,
    entity: variables.map(([name, value]) => modifier('=', name, value)),
    method: '_notice_update_status',
  })
  const all = Buffer.concat(Array.from({ length: BATCH }, () => one))
  return {
    'psyc, views': [all, psycReader(view => view.names.length)],
    'psyc, texts': [
      all,
      psycReader(view => {
        let sum = 0
        for (let at = 0; at < view.names.length; at++) sum += decoder.decode(view.value(at)).length
        return sum
      }),
    ],
    'JSON.parse': [asLines(jsonOf(variables, '')), readJson(value => value._amount_figure_3.length)],
    ltx: [asLines(xmlOf(variables, '')), readLtx(node => node.children.length)],
    saxes: [asLines(xmlOf(variables, '')), readSaxes(fields => Object.keys(fields).length)],
  }
}

function binary(size) {
  const body = randomBytes(size)
  const base64 = body.toString('base64')
  const one = psycOf({ routing, method: '_data', data: body })
  const line = text => Buffer.from(text)
  return {
    'psyc, views': [one, psycReader(view => view.data().length), 1],
    'JSON.parse': [
      line(jsonOf([], base64)),
      readJson(value => Buffer.from(value.body, 'base64').length),
      1,
    ],
    ltx: [
      line(xmlOf([], base64)),
      readLtx(node => Buffer.from(node.getChildText('body'), 'base64').length),
      1,
    ],
    saxes: [
      line(xmlOf([], base64)),
      readSaxes(fields => Buffer.from(fields.body, 'base64').length),
      1,
    ],
  }
}

/** Milliseconds of processor time this process has used: other programs on the machine do not count. */
const used = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** Messages a second of one core. */
function speed([bytes, read, count = BATCH]) {
  const begin = used()
  let messages = 0
  let elapsed = 0
  while (elapsed < ROUND_MS) {
    for (let n = 0; n < 8; n++) read(bytes)
    messages += 8 * count
    elapsed = used() - begin
  }
  return (messages * 1_000) / elapsed
}

const only = process.argv.find(word => word.startsWith('--only='))?.slice(7)
const CASES = {
  small: small(),
  status: state(),
  ...Object.fromEntries(BINARY_SIZES.map(size => [`binary ${size}`, binary(size)])),
}

const results = {}
for (let n = -1; n < ROUNDS; n++)
  for (const [name, parsers] of Object.entries(CASES).filter(([name]) => !only || name === only))
    for (const [parser, work] of Object.entries(parsers)) {
      const value = speed(work)
      // The first round warms up.
      if (n >= 0) ((results[name] ??= {})[parser] ??= []).push(value)
    }

const rows = Object.entries(results).flatMap(([name, parsers]) =>
  Object.entries(parsers).map(([parser, values]) => ({
    case: name,
    parser,
    'messages/s': Math.round(median(values)),
    'us each': round(1e6 / median(values), 3),
  })),
)
console.table(rows)
