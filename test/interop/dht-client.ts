/** Asks a real daemon's DHT over its socket, as CADET does there (dht.h); gnunet-dht-get hashes its keys. */

import { connect } from 'node:net'
import type { HashCode } from '../../src/base/ids.ts'
import { Hop } from '../../src/mesh/dht/messages.ts'
import type { DhtQuery } from '../../src/mesh/mesh.ts'
import { when } from '../../src/wire/fields.ts'
import { bytes, lengthOf, list, message, rest, u32, u64, zero } from '../../src/wire/layout.ts'

const ClientGet = message('DHT_CLIENT_GET', 143, {
  options: u32,
  replication: u32,
  blockType: u32,
  key: bytes(64),
  id: u64,
})

const ClientResult = message('DHT_CLIENT_RESULT', 145, {
  blockType: u32,
  reserved: zero(u32),
  options: u32,
  putPathLength: lengthOf('putPath', u32),
  getPathLength: lengthOf('getPath', u32),
  id: u64,
  expiry: u64,
  key: bytes(64),
  origin: when('options', 8, bytes(32)),
  putPath: list(Hop, 'putPathLength'),
  getPath: list(Hop, 'getPathLength'),
  data: rest,
})

export interface Answer {
  readonly data: Uint8Array
  /** From the publisher on. */
  readonly path: readonly Uint8Array[]
  readonly isTruncated: boolean
}

/** What the daemon finds within `ms`; returns as soon as there is something. */
export function askDaemon(socketPath: string, query: DhtQuery, ms = 10_000): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath)
    const answers: Answer[] = []
    const timer = setTimeout(() => socket.destroy(), ms)
    let buffer = Buffer.alloc(0)
    socket.on('data', chunk => {
      buffer = Buffer.concat([buffer, chunk])
      while (buffer.length >= 4 && buffer.length >= buffer.readUInt16BE(0)) {
        const size = buffer.readUInt16BE(0)
        const raw = new Uint8Array(buffer.subarray(0, size))
        buffer = buffer.subarray(size)
        if (raw[3] === ClientResult.type) answers.push(answerOf(raw, query.key))
      }
      if (answers.length > 0) socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answers)
    })
    const { type, ...fields } = query
    socket.write(ClientGet.encode({ ...fields, blockType: type, id: 1n }))
  })
}

function answerOf(raw: Uint8Array, key: HashCode): Answer {
  const { putPath, getPath, data, origin, key: got } = ClientResult.decode(raw)
  if (Buffer.compare(got, key) !== 0) throw new Error('the daemon answers another question')
  return {
    data,
    path: [...putPath, ...getPath].map(({ pid }) => pid),
    isTruncated: origin !== null,
  }
}
