/**
 * The service every target runs behind its transport, and its client.
 *
 *     P            answers one byte                    time to the first byte
 *     E ...        echoes everything that follows      round trip
 *     D <u32 MiB>  sends so many MiB, then ends        download
 *     U <u32 MiB>  answers one byte after so many MiB  upload
 */

import { now } from './measure.mjs'

export const MIB = 1024 * 1024
const CHUNK = Buffer.alloc(64 * 1024, 0x5a)

export function serve(stream, chunk = CHUNK) {
  let echoing = false
  let awaited = 0
  let head = Buffer.alloc(0)
  stream.on('error', () => {})
  stream.on('data', data => {
    if (echoing) {
      stream.write(data)
      return
    }
    if (awaited > 0) {
      awaited -= data.length
      if (awaited <= 0) stream.write('H')
      return
    }
    head = Buffer.concat([head, data])
    const command = String.fromCharCode(head[0])
    if (command === 'P') {
      head = head.subarray(1)
      stream.write('H')
    } else if (command === 'E') {
      echoing = true
      if (head.length > 1) stream.write(head.subarray(1))
    } else if (command === 'D' && head.length >= 5) {
      pump(stream, head.readUInt32BE(1) * MIB, chunk).then(() => stream.end(), () => {})
    } else if (command === 'U' && head.length >= 5) {
      awaited = head.readUInt32BE(1) * MIB - (head.length - 5)
    }
  })
  stream.on('end', () => stream.end())
}

async function pump(stream, bytes, chunk) {
  for (let left = bytes; left > 0 && !stream.destroyed; left -= chunk.length) {
    if (stream.write(left >= chunk.length ? chunk : chunk.subarray(0, left))) continue
    await new Promise(resolve => {
      const go = () => {
        stream.off('drain', go)
        stream.off('close', go)
        resolve()
      }
      stream.on('drain', go)
      stream.on('close', go)
    })
  }
}

const first = stream =>
  new Promise((resolve, reject) => {
    const done = () => {
      stream.off('data', ok)
      stream.off('error', bad)
      stream.off('close', bad)
    }
    const ok = data => {
      done()
      resolve(data)
    }
    const bad = error => {
      done()
      reject(error ?? new Error('closed early'))
    }
    stream.on('data', ok)
    stream.on('error', bad)
    stream.on('close', bad)
  })

/** Resolves when the first byte has come. */
export async function firstByte(stream) {
  const answer = first(stream)
  stream.write('P')
  await answer
}

/** Round-trip times in ms of `count` messages of `size` bytes, one after the other. */
export async function echo(stream, count, size) {
  const times = []
  const message = Buffer.alloc(size, 1)
  let wanted = 0
  let wake = () => {}
  const take = data => {
    wanted -= data.length
    if (wanted <= 0) wake()
  }
  stream.on('data', take)
  stream.write('E')
  for (let n = 0; n < count; n++) {
    wanted = size
    const came = new Promise(resolve => {
      wake = resolve
    })
    const begin = now()
    stream.write(message)
    await came
    times.push(now() - begin)
  }
  stream.off('data', take)
  return times
}

/** MiB/s at which `mib` MiB come in. */
export async function download(stream, mib) {
  let left = mib * MIB
  const command = order('D', mib)
  const begin = now()
  await new Promise((resolve, reject) => {
    stream.on('data', data => {
      left -= data.length
      if (left <= 0) resolve()
    })
    stream.on('error', reject)
    stream.on('close', () => left > 0 && reject(new Error(`closed with ${left} bytes left`)))
    stream.write(command)
  })
  return mib / ((now() - begin) / 1000)
}

/** MiB/s at which `mib` MiB go out, until the other side has them all. */
export async function upload(stream, mib) {
  const begin = now()
  const answer = first(stream)
  stream.write(order('U', mib))
  await pump(stream, mib * MIB, CHUNK)
  await answer
  return mib / ((now() - begin) / 1000)
}

function order(letter, mib) {
  const command = Buffer.alloc(5)
  command.write(letter)
  command.writeUInt32BE(mib, 1)
  return command
}
