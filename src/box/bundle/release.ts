/**
 * A release: a bundle made out to one device. Its files by content, its commands, its number, signed by an
 * owner's zone key: so it is worth the same from whoever hands it over, and worth nothing elsewhere.
 *
 * The encoding is canonical: what decodes encodes to the same bytes again. Files are in the order of their
 * paths. `sequence` only ever grows on a device (milliseconds since 1970 at signing, or one more than the last).
 */

import { equalBytes } from '../../base/bytes.ts'
import { BoxError } from '../../base/errors.ts'
import { type ZoneKey, zoneKey } from '../../base/ids.ts'
import { sha256 } from '../../crypto/hash.ts'
import { SIGNATURE_SIZE } from '../../crypto/signing.ts'
import { verifyZoneSignature, type ZoneSecret } from '../../crypto/zone-key.ts'
import { struct } from '../../wire/fields.ts'
import {
  bytes,
  counted,
  type Field,
  lengthOf,
  list,
  rest,
  u16,
  u32,
  u64,
  WireError,
} from '../../wire/layout.ts'
import { decodeText, encodeText } from '../../wire/text.ts'
import { ZONE_SIZE } from '../messages.ts'
import { pathFault } from './file-path.ts'
import { LIMITS } from './limits.ts'
import type { UciChange } from './uci.ts'

/** The purpose number of release signatures; see HANDSHAKE_SIGNATURE. */
export const RELEASE_SIGNATURE = 0xb0c5_0003
const VERSION = 1
export const CONTENT_ID_SIZE = 32
const MODE_MAX = 0o7777
const KINDS = ['absent', 'file', 'sealed'] as const
const DRIFTS = ['report', 'repair'] as const
/** 2^53: beyond it a number is no exact one. */
const SEQUENCE_MAX = BigInt(Number.MAX_SAFE_INTEGER)

export interface Release {
  readonly device: ZoneKey
  readonly signer: ZoneKey
  readonly sequence: number
  /** Of the bundle. */
  readonly name: string
  readonly confirmSeconds: number
  readonly commandSeconds: number
  readonly drift: 'report' | 'repair'
  readonly files: readonly ReleaseFile[]
  readonly uci: readonly ReleaseUci[]
  readonly packages: readonly string[]
  readonly before: readonly string[]
  readonly apply: readonly string[]
  readonly after: readonly string[]
  readonly undo: readonly string[]
  /** Services that read their configuration again: after `apply`, and after `undo`. */
  readonly reload: readonly string[]
}

/** A change of OpenWrt's configuration, in the order in which they are made. */
export interface ReleaseUci {
  readonly config: string
  readonly change: UciChange
}

export type ReleaseFile =
  | { readonly is: 'absent'; readonly path: string }
  | {
      /** `sealed`: the content is encrypted for the device (crypto/sealed.ts). */
      readonly is: 'file' | 'sealed'
      readonly path: string
      /** SHA-256 of the content as it travels. */
      readonly content: Uint8Array
      readonly size: number
      readonly mode: number
      /** As in a manifest; empty: whoever owns what is there, or the agent. */
      readonly owner: string
    }

const text = (size: string) => counted(size)
const Text = struct('BOX_RELEASE_TEXT', { size: lengthOf('text', u16), text: text('size') })
const File = struct('BOX_RELEASE_FILE', {
  kind: u16,
  mode: u16,
  size: u32,
  content: bytes(CONTENT_ID_SIZE),
  pathSize: lengthOf('path', u16),
  path: text('pathSize'),
  ownerSize: lengthOf('owner', u16),
  owner: text('ownerSize'),
})
const texts = (count: string): Field<readonly { readonly text: Uint8Array }[]> => list(Text, count)

const Uci = struct('BOX_RELEASE_UCI', {
  kind: u16,
  configSize: lengthOf('config', u16),
  config: text('configSize'),
  sectionSize: lengthOf('section', u16),
  section: text('sectionSize'),
  optionSize: lengthOf('option', u16),
  option: text('optionSize'),
  valueCount: lengthOf('values', u16),
  values: texts('valueCount'),
})
const UCI_KINDS = ['set', 'list', 'delete', 'section'] as const

const Body = struct('BOX_RELEASE', {
  version: u16,
  drift: u16,
  sequence: u64,
  confirmSeconds: u16,
  commandSeconds: u16,
  device: bytes(ZONE_SIZE),
  signer: bytes(ZONE_SIZE),
  nameSize: lengthOf('name', u16),
  name: text('nameSize'),
  fileCount: lengthOf('files', u16),
  files: list(File, 'fileCount'),
  uciCount: lengthOf('uci', u16),
  uci: list(Uci, 'uciCount'),
  packageCount: lengthOf('packages', u16),
  packages: texts('packageCount'),
  beforeCount: lengthOf('before', u16),
  before: texts('beforeCount'),
  applyCount: lengthOf('apply', u16),
  apply: texts('applyCount'),
  afterCount: lengthOf('after', u16),
  after: texts('afterCount'),
  undoCount: lengthOf('undo', u16),
  undo: texts('undoCount'),
  reloadCount: lengthOf('reload', u16),
  reload: texts('reloadCount'),
})

const Signed = struct('BOX_SIGNED_RELEASE', { signature: bytes(SIGNATURE_SIZE), body: rest })

/** As systemd and OpenWrt name them: no path, and nothing that a program would take for an option. */
export const isServiceName = (name: string): boolean =>
  /^[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,127}$/.test(name)

/** The address of some content. */
export const contentId = (content: Uint8Array): Uint8Array => sha256(content)

/** Signs; the release must name the zone of `secret` as its signer. Throws BUNDLE_INVALID where it is too large. */
export function signRelease(release: Release, secret: ZoneSecret): Uint8Array {
  if (!equalBytes(release.signer, secret.zone)) throw new RangeError('another signer')
  const body = encodeBody(release)
  const signed = Signed.encode({ signature: secret.sign(RELEASE_SIGNATURE, body), body })
  if (signed.length > LIMITS.releaseBytes)
    throw new BoxError(
      'BUNDLE_INVALID',
      `Its description has more than ${LIMITS.releaseBytes} bytes.`,
    )
  return signed
}

/** Reads and verifies. Throws WIRE_MALFORMED, LIMIT_EXCEEDED, SIGNATURE_INVALID. */
export function openRelease(signed: Uint8Array): Release {
  if (signed.length > LIMITS.releaseBytes)
    throw new BoxError('LIMIT_EXCEEDED', `The release has ${signed.length} bytes.`)
  const { signature, body } = attempt(() => Signed.decode(signed))
  const release = attempt(() => decodeBody(body))
  if (!verifyZoneSignature(release.signer, RELEASE_SIGNATURE, body, signature))
    throw new BoxError('SIGNATURE_INVALID', 'The bundle is not signed by the key that it names.')
  return release
}

/** The files whose content has to be there, each content once. */
export function contentsOf(release: Release): readonly { id: Uint8Array; size: number }[] {
  const found: { id: Uint8Array; size: number }[] = []
  for (const file of release.files)
    if (file.is !== 'absent' && !found.some(({ id }) => equalBytes(id, file.content)))
      found.push({ id: file.content, size: file.size })
  return found
}

function attempt<T>(run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if (cause instanceof BoxError) throw cause
    if (cause instanceof WireError) throw malformed(cause.message, cause)
    throw cause
  }
}

const malformed = (detail: string, cause?: unknown) =>
  new BoxError('WIRE_MALFORMED', `This is no release: ${detail}.`, cause)

const NOTHING = new Uint8Array(0)
const noContent = new Uint8Array(CONTENT_ID_SIZE)
const encodeAll = (lines: readonly string[]) => lines.map(line => ({ text: encodeText(line) }))

const encodeBody = (release: Release): Uint8Array =>
  Body.encode({
    version: VERSION,
    drift: DRIFTS.indexOf(release.drift),
    sequence: BigInt(release.sequence),
    confirmSeconds: release.confirmSeconds,
    commandSeconds: release.commandSeconds,
    device: release.device,
    signer: release.signer,
    name: encodeText(release.name),
    files: release.files.toSorted(byPath).map(encodeFile),
    uci: release.uci.map(encodeUci),
    packages: encodeAll(release.packages),
    before: encodeAll(release.before),
    apply: encodeAll(release.apply),
    after: encodeAll(release.after),
    undo: encodeAll(release.undo),
    reload: encodeAll(release.reload),
  })

const byPath = (a: ReleaseFile, b: ReleaseFile): number =>
  a.path < b.path ? -1 : a.path > b.path ? 1 : 0

const encodeFile = (file: ReleaseFile) => ({
  kind: KINDS.indexOf(file.is),
  path: encodeText(file.path),
  ...(file.is === 'absent'
    ? { mode: 0, size: 0, content: noContent, owner: NOTHING }
    : {
        mode: file.mode,
        size: file.size,
        content: file.content,
        owner: encodeText(file.owner),
      }),
})

function encodeUci({ config, change }: ReleaseUci) {
  const values =
    change.is === 'list'
      ? change.values
      : change.is === 'set'
        ? [change.value]
        : change.is === 'section'
          ? [change.type]
          : []
  return {
    kind: UCI_KINDS.indexOf(change.is),
    config: encodeText(config),
    section: encodeText(change.section),
    option: encodeText(('option' in change && change.option) || ''),
    values: encodeAll(values),
  }
}

function decodeUci(raw: readonly ReturnType<typeof Uci.decode>[]): ReleaseUci[] {
  if (raw.length > LIMITS.uciChanges) throw malformed(`it has ${raw.length} changes of uci`)
  return raw.map(one => {
    const config = line(one.config)
    const section = line(one.section)
    const option = line(one.option)
    const values = lines(one.values, LIMITS.uciChanges)
    const is = UCI_KINDS[one.kind]
    const value = values[0] ?? ''
    if (!/^[A-Za-z0-9_-]+$/.test(config)) throw malformed(`"${config}" is no file of uci`)
    if (!is || values.length !== (UCI_VALUES[is] ?? values.length))
      throw malformed(`what to do about ${config}.${section} is unclear`)
    const needsOption = is === 'set' || is === 'list'
    if ((needsOption && option === '') || (is === 'section' && option !== ''))
      throw malformed(`${config}.${section} lacks its option, or has one`)
    if (is === 'set') return { config, change: { is, section, option, value } }
    if (is === 'list') return { config, change: { is, section, option, values } }
    if (is === 'section') return { config, change: { is, section, type: value } }
    return { config, change: { is, section, option: option === '' ? null : option } }
  })
}

const UCI_VALUES: Readonly<Record<UciChange['is'], number | null>> = {
  ...{ set: 1, section: 1, delete: 0, list: null },
}

function decodeBody(body: Uint8Array): Release {
  const raw = Body.decode(body)
  if (raw.version !== VERSION) throw malformed(`it is of version ${raw.version}`)
  const drift = DRIFTS[raw.drift]
  if (!drift) throw malformed('what to do about drift is unknown')
  if (raw.sequence > SEQUENCE_MAX) throw malformed('its number is too large')
  between('confirm', raw.confirmSeconds, LIMITS.confirmSeconds)
  between('timeout', raw.commandSeconds, LIMITS.commandSeconds)
  if (raw.files.length > LIMITS.files) throw malformed(`it has ${raw.files.length} files`)
  const files = raw.files.map(decodeFile)
  for (const [i, { path }] of files.entries()) {
    const before = files[i - 1]?.path
    if (before !== undefined && before >= path) throw malformed('its files are not in order')
    if (files.some(other => path.startsWith(`${other.path}/`)))
      throw malformed(`${path} lies below another file`)
  }
  let total = 0
  for (const file of files) total += file.is === 'absent' ? 0 : file.size
  if (total > LIMITS.totalBytes) throw malformed(`its files have ${total} bytes`)
  return {
    device: zoneKey(raw.device.slice()),
    signer: zoneKey(raw.signer.slice()),
    sequence: Number(raw.sequence),
    name: line(raw.name),
    confirmSeconds: raw.confirmSeconds,
    commandSeconds: raw.commandSeconds,
    drift,
    files,
    uci: decodeUci(raw.uci),
    packages: lines(raw.packages, LIMITS.packages),
    before: lines(raw.before, LIMITS.commands),
    apply: lines(raw.apply, LIMITS.commands),
    after: lines(raw.after, LIMITS.commands),
    undo: lines(raw.undo, LIMITS.commands),
    reload: services(raw.reload),
  }
}

function services(raw: Parameters<typeof lines>[0]): readonly string[] {
  const names = lines(raw, LIMITS.services)
  const wrong = names.find(name => !isServiceName(name))
  if (wrong !== undefined) throw malformed(`${JSON.stringify(wrong)} is no name of a service`)
  return names
}

function decodeFile(raw: ReturnType<typeof File.decode>): ReleaseFile {
  const path = line(raw.path)
  const fault = pathFault(path)
  if (fault) throw malformed(`the path ${JSON.stringify(path)} ${fault}`)
  const is = KINDS[raw.kind]
  if (!is) throw malformed(`${path} is of an unknown kind`)
  const owner = line(raw.owner)
  if (is === 'absent') {
    const isPlain = raw.mode === 0 && raw.size === 0 && equalBytes(raw.content, noContent)
    if (!isPlain || owner !== '') throw malformed(`${path} is absent and yet is something`)
    return { is, path }
  }
  if (raw.mode > MODE_MAX) throw malformed(`${path} has an impossible mode`)
  if (raw.size > LIMITS.fileBytes)
    throw new BoxError(
      'LIMIT_EXCEEDED',
      `${path} has ${raw.size} bytes, more than ${LIMITS.fileBytes}.`,
    )
  return { is, path, content: raw.content.slice(), size: raw.size, mode: raw.mode, owner }
}

function between(what: string, value: number, max: number): void {
  if (value < 1 || value > max) throw malformed(`${what} is ${value} seconds`)
}

function lines(raw: readonly { readonly text: Uint8Array }[], max: number): string[] {
  if (raw.length > max) throw malformed(`it has ${raw.length} lines of one kind`)
  return raw.map(({ text }) => line(text))
}

function line(raw: Uint8Array): string {
  const text = decodeText(raw)
  if (raw.length > LIMITS.commandBytes) throw malformed('a text is too long')
  if (text.includes('\0')) throw malformed('a text has a NUL in it')
  return text
}
