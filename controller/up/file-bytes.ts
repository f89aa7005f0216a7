/**
 * The bytes of a file of a device, read and written in pieces: what is on its way is a megabyte at most, and whoever
 * does not read, or write, holds the device back. What is read is never shown as a page of ours: it is an attachment of
 * no type.
 */

import { posix } from 'node:path'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import { runningSha256 } from '../../src/crypto/hash.ts'
import type { Context } from '../context.ts'
import type { FileLooks, OpenFile } from '../device-files.ts'
import { type ByteRange, rangeIn } from './byte-range.ts'
import { type DeviceSftp, type FileSession, toldOfFiles } from './device-sftp.ts'
import { type AboutFile, WHERE } from './file-routes.ts'
import { BYTES, BYTES_BODY, bodyOf, bytesHeaders, takingBytes } from './raw-bytes.ts'
import { aboutOne, FILE_WRITTEN, options, streamed } from './schemas.ts'

/** So much is read before the answer begins: files of the kernel say sizes that they do not have. */
const AT_ONCE = 32_768

export function fileBytesRoutes(app: FastifyInstance, sftp: DeviceSftp, { clock }: Context): void {
  readRoute(app, sftp)
  takingBytes(app, inner => writeRoute(inner, sftp, clock))
}

function readRoute(app: FastifyInstance, sftp: DeviceSftp): void {
  const schema = aboutOne({
    summary: 'A file of a device; with `Range`, a part of it',
    querystring: options(WHERE, ['path']),
    answer: streamed(BYTES, 'Its bytes.'),
  })
  const part = streamed(BYTES, 'The bytes that were asked for.')
  app.get<AboutFile>(
    '/v1/devices/:name/files/content',
    {
      exposeHeadRoute: false,
      schema: { ...schema, response: { ...schema.response, 206: part } },
    },
    async (request, reply) => {
      const { params, query } = request
      const session = await sftp.begin(reply.raw, { ...params, ...query })
      try {
        return await answer(session, request, reply)
      } catch (error) {
        session.end(error)
        throw toldOfFiles(error)
      }
    },
  )
}

type ReadRequest = FastifyRequest<AboutFile>

/** The session ends with what it answers. */
async function answer(
  session: FileSession,
  { query, headers }: ReadRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { files } = session
  const path = await files.real(query.path)
  const looks = await files.look(path)
  if (!looks) throw new BoxError('FILE_UNKNOWN', path)
  if (looks.kind !== 'file') throw new BoxError('FILE_UNUSABLE', `${path} is no file.`)
  const file = await files.opened(path)
  const { size } = file.looks
  const etag = etagOf(file.looks)
  const range = rangeIn(headers, { size, etag })
  if (range === 'outside') {
    void reply.header('content-range', `bytes */${size}`)
    const why = `The file has ${size} bytes.`
    throw Object.assign(new BoxError('INPUT_INVALID', why), { statusCode: 416 })
  }
  void reply.headers({
    ...{ ...bytesHeaders(posix.basename(path)), 'accept-ranges': 'bytes' },
    ...{ etag, 'last-modified': new Date(file.looks.modifiedAt).toUTCString() },
  })
  if (range) {
    void reply.code(206)
    void reply.header('content-range', `bytes ${range.from}-${range.to - 1}/${size}`)
  }
  return await send(session, file, range, reply)
}

const etagOf = ({ size, modifiedAt }: FileLooks): string => `"${size}-${modifiedAt}"`

async function send(
  session: FileSession,
  file: OpenFile & { readonly looks: FileLooks },
  range: ByteRange | null,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { files } = session
  const { size } = file.looks
  if (!range && size > 0 && size <= AT_ONCE) {
    const pieces: Uint8Array[] = []
    for await (const piece of files.readToEnd(file)) pieces.push(piece)
    await files.close(file)
    session.end()
    return reply.send(Buffer.concat(pieces))
  }
  const { from, to } = range ?? { from: 0, to: size }
  const bytes = size === 0 ? files.readToEnd(file) : files.read(file, from, to)
  if (size > 0) void reply.header('content-length', to - from)
  const stream = Readable.from(bytes, { objectMode: false, highWaterMark: AT_ONCE })
  let failure: unknown
  stream.once('error', error => {
    failure = error
  })
  // However it ends: read, broken off, failed.
  stream.once('close', () => session.end(failure))
  return reply.send(stream)
}

type WriteRequest = AboutFile<{ replace?: 'true' | 'false'; mode?: string }>

function writeRoute(app: FastifyInstance, sftp: DeviceSftp, clock: Context['clock']): void {
  const replace = { type: 'string', enum: ['true', 'false'] }
  const mode = { type: 'string', pattern: '^0?[0-7]{3}$', description: 'In octal digits, as 644.' }
  app.put<WriteRequest>(
    '/v1/devices/:name/files/content',
    {
      schema: {
        ...aboutOne({
          summary:
            'Writes a file of a device: whole, or not at all. Answers with how much came, and its hash',
          querystring: options({ ...WHERE, replace, mode }, ['path']),
          answer: FILE_WRITTEN,
        }),
        body: BYTES_BODY,
      },
    },
    async (request, reply) => {
      const { params, query } = request
      const hash = runningSha256()
      let size = 0
      const body = bodyOf(request, reply, clock)
      const counted = (async function* () {
        for await (const piece of body) {
          hash.add(piece)
          size += piece.length
          yield piece
        }
      })()
      const path = await sftp.during(reply.raw, { ...params, ...query }, ({ files }) =>
        files.put(query.path, counted, {
          replaces: query.replace === 'true',
          mode: query.mode === undefined ? null : Number.parseInt(query.mode, 8),
        }),
      )
      return { path, size, sha256: Buffer.from(hash.end()).toString('hex') }
    },
  )
}
