/**
 * The least a program must say to gnunet-service-cadet over its Unix socket (GNUnet 0.19's cadet.h): open a
 * port, open channels, move data. Each ACK is a licence for one message. For the comparison only.
 */

import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { Duplex } from 'node:stream'

const DATA = 1020
const ACK = 1021
const PORT_OPEN = 1022
const CREATE = 1024
const DESTROY = 1025
const APPLICATION = 1059
const OWN_CHANNELS = 0x80000000
const MESSAGE_MAX = 32_704
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

const portOf = name => createHash('sha512').update(name).digest()

function decode(text, length) {
  let bits = 0n
  for (const letter of text) bits = (bits << 5n) | BigInt(DIGITS.indexOf(letter))
  bits >>= BigInt(text.length * 5 - length * 8)
  return Buffer.from(bits.toString(16).padStart(length * 2, '0'), 'hex')
}

const u32 = value => {
  const raw = Buffer.alloc(4)
  raw.writeUInt32BE(value >>> 0)
  return raw
}

function framed(type, ...parts) {
  const body = Buffer.concat(parts)
  const header = Buffer.alloc(4)
  header.writeUInt16BE(body.length + 4, 0)
  header.writeUInt16BE(type, 2)
  return Buffer.concat([header, body])
}

class Channel extends Duplex {
  constructor(client, number) {
    super({ highWaterMark: 256 * 1024 })
    this.client = client
    this.number = number
    this.credit = 0
    this.waiting = []
    this.unacknowledged = 0
    this.on('error', () => {})
  }
  _write(chunk, _encoding, done) {
    this.waiting.push({ chunk, at: 0, done })
    this.flush()
  }
  flush() {
    while (this.credit > 0 && this.waiting.length > 0) {
      const item = this.waiting[0]
      const part = item.chunk.subarray(item.at, item.at + MESSAGE_MAX)
      item.at += part.length
      this.credit--
      this.client.send(DATA, u32(this.number), u32(1), framed(APPLICATION, part))
      if (item.at < item.chunk.length) continue
      this.waiting.shift()
      item.done()
    }
  }
  _read() {
    for (; this.unacknowledged > 0; this.unacknowledged--) this.client.send(ACK, u32(this.number))
  }
  take(payload) {
    this.unacknowledged++
    if (this.push(Buffer.from(payload))) this._read()
  }
  _destroy(error, done) {
    this.client.forget(this.number)
    done(error)
  }
}

export class CadetClient {
  static connect(path) {
    return new Promise((resolve, reject) => {
      const socket = connect(path)
      socket.once('error', reject)
      socket.once('connect', () => resolve(new CadetClient(socket)))
    })
  }
  constructor(socket) {
    this.socket = socket
    this.channels = new Map()
    this.next = OWN_CHANNELS
    this.rest = Buffer.alloc(0)
    this.accept = () => {}
    socket.on('data', data => this.receive(data))
    socket.on('error', () => {})
  }
  send(type, ...parts) {
    this.socket.write(framed(type, ...parts))
  }
  listen(name, accept) {
    this.accept = accept
    this.send(PORT_OPEN, portOf(name))
  }
  open(peer, name) {
    const channel = new Channel(this, this.next++)
    this.channels.set(channel.number, channel)
    this.send(CREATE, u32(channel.number), decode(peer, 32), portOf(name), u32(0))
    return channel
  }
  forget(number) {
    if (this.channels.delete(number)) this.send(DESTROY, u32(number))
  }
  close() {
    this.socket.destroy()
  }
  receive(data) {
    this.rest = this.rest.length > 0 ? Buffer.concat([this.rest, data]) : data
    while (this.rest.length >= 4 && this.rest.length >= this.rest.readUInt16BE(0)) {
      const size = this.rest.readUInt16BE(0)
      this.handle(this.rest.readUInt16BE(2), this.rest.subarray(4, size))
      this.rest = this.rest.subarray(size)
    }
  }
  handle(type, body) {
    const number = body.readUInt32BE(0)
    const channel = this.channels.get(number)
    if (type === CREATE) {
      const opened = new Channel(this, number)
      this.channels.set(number, opened)
      this.accept(opened)
    } else if (type === DATA) channel?.take(body.subarray(12))
    else if (type === ACK && channel) {
      channel.credit++
      channel.flush()
    } else if (type === DESTROY) {
      this.channels.delete(number)
      channel?.push(null)
    }
  }
}
