/**
 * Makes a bundle out to a device: the files that are meant for it, their gaps filled, secrets encrypted for
 * it alone, all of it signed. Nothing of another device's values or secrets is in what comes out.
 */

import { BoxError } from '../../base/errors.ts'
import type { ZoneKey } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import { sealForZone } from '../../crypto/sealed.ts'
import type { ZoneSecret } from '../../crypto/zone-key.ts'
import { type Bundle, recipientOf } from './bundle.ts'
import { LIMITS } from './limits.ts'
import { MANIFEST_FILE, type ManifestFile, type ManifestUci } from './manifest.ts'
import {
  contentId,
  type Release,
  type ReleaseFile,
  type ReleaseUci,
  signRelease,
} from './release.ts'
import { fill, gapsOf, gapValue, isMeant, parseTemplate, type Recipient } from './template.ts'

export interface MakeOut {
  readonly bundle: Bundle
  readonly device: {
    readonly name: string
    readonly tags: readonly string[]
    readonly zone: ZoneKey
  }
  readonly owner: ZoneSecret
  readonly sequence: number
  readonly random: Random
}

export interface MadeOut {
  readonly release: Release
  readonly signed: Uint8Array
  /** As they travel, in no order; each once. */
  readonly contents: readonly Uint8Array[]
  /** What the files will be, for showing what would change; secrets left out. */
  readonly plain: ReadonlyMap<string, Uint8Array>
}

/** Throws BUNDLE_INVALID where the device lacks a value that a template needs. */
export function makeOut({ bundle, device, owner, sequence, random }: MakeOut): MadeOut {
  const { manifest } = bundle
  const recipient = recipientOf(manifest, device)
  const meant = manifest.files.filter(
    ({ only }) => only.length === 0 || only.some(subject => isMeant(subject, recipient)),
  )
  const contents = new Map<string, Uint8Array>()
  const plain = new Map<string, Uint8Array>()
  const files = meant.map((file): ReleaseFile => {
    const { path, source, mode } = file
    if (source.is === 'absent') return { is: 'absent', path }
    const clear = contentOf(bundle, source, recipient)
    if (!source.secret) plain.set(path, clear)
    const content = source.secret ? sealForZone(device.zone, clear, random) : clear
    if (content.length > LIMITS.fileBytes)
      throw new BoxError('BUNDLE_INVALID', `${path} would have ${content.length} bytes.`)
    const id = contentId(content)
    contents.set(id.join(), content)
    const is = source.secret ? 'sealed' : 'file'
    return { is, path, content: id, size: content.length, mode, owner: file.owner }
  })
  const uci = manifest.uci.map(one => filledUci(one, recipient))
  const { name, confirmSeconds, commandSeconds, drift } = manifest
  const { packages, before, apply, after, undo, reload } = manifest
  const release: Release = {
    ...{ device: device.zone, signer: owner.zone, sequence, name },
    ...{ confirmSeconds, commandSeconds, drift, files, uci },
    ...{ packages, before, apply, after, undo, reload },
  }
  return { release, signed: signRelease(release, owner), contents: [...contents.values()], plain }
}

/** Values of uci may have gaps as well. */
function filledUci({ config, change, ...at }: ManifestUci, recipient: Recipient): ReleaseUci {
  const fillText = (text: string) => {
    const wrong = (message: string) => {
      throw new BoxError('BUNDLE_INVALID', `${MANIFEST_FILE}:${at.line}: ${message}`)
    }
    const template = parseTemplate(text, (_, message) => wrong(message))
    const missing = gapsOf(template, recipient).find(one => gapValue(recipient, one.name) === null)
    if (missing) wrong(`${recipient.name} has no value "${missing.name}".`)
    return fill(template, recipient)
  }
  if (change.is === 'set') return { config, change: { ...change, value: fillText(change.value) } }
  if (change.is === 'list')
    return { config, change: { ...change, values: change.values.map(fillText) } }
  return { config, change }
}

function contentOf(
  { contents, templates }: Bundle,
  source: Exclude<ManifestFile['source'], { is: 'absent' }>,
  recipient: Recipient,
): Uint8Array {
  if (source.is === 'copy') return contents.get(source.from)!
  const template = templates.get(source.from)!
  const missing = gapsOf(template, recipient).find(({ name }) => gapValue(recipient, name) === null)
  if (missing)
    throw new BoxError(
      'BUNDLE_INVALID',
      `${source.from}:${missing.line}: ${recipient.name} has no value "${missing.name}".`,
    )
  return new TextEncoder().encode(fill(template, recipient))
}
