/**
 * A bundle: its manifest and the files beside it, read and looked through before any device hears of it.
 * Every problem has a file and a line; a bundle with problems is not given out.
 */

import { LIMITS } from './limits.ts'
import { MANIFEST_FILE, type Manifest, type ManifestFile, readManifest } from './manifest.ts'
import { allGaps, parseTemplate, type Recipient, type Template } from './template.ts'
import type { Place, Problem } from './yaml-document.ts'

/** What a file beside the manifest is to be read from; a reason as the end of a sentence where it cannot be. */
export type ReadPart = (path: string) => Uint8Array | { readonly wrong: string }

export interface Bundle {
  readonly manifest: Manifest
  /** By `from`. */
  readonly contents: ReadonlyMap<string, Uint8Array>
  readonly templates: ReadonlyMap<string, Template>
}

/** Reads a bundle; null where `problems` got something. */
export function readBundle(read: ReadPart, problems: Problem[]): Bundle | null {
  const bundle = readParts(read, problems)
  problems.sort((a, b) => (a.file === b.file ? a.line - b.line || a.column - b.column : 0))
  return bundle
}

function readParts(read: ReadPart, problems: Problem[]): Bundle | null {
  const first = { file: MANIFEST_FILE, line: 1, column: 1 }
  const bytes = read(MANIFEST_FILE)
  if ('wrong' in bytes) {
    problems.push({ ...first, message: `The manifest ${bytes.wrong}.` })
    return null
  }
  const text = utf8(bytes)
  if (text === null) problems.push({ ...first, message: 'The manifest is no UTF-8.' })
  const manifest = text === null ? null : readManifest(text, problems)
  if (!manifest) return null
  const bundle = new Reading(read, manifest, problems).bundle()
  return problems.length > 0 ? null : bundle
}

/** The values of one device: those of all, then of its tags in their order, then its own. */
export function recipientOf(
  { values }: Manifest,
  device: { readonly name: string; readonly tags: readonly string[] },
): Recipient {
  const merged = new Map<string, string>()
  const scopes = ['all', ...device.tags.toSorted().map(tag => `@${tag}`), device.name]
  for (const scope of scopes)
    for (const [name, value] of values.get(scope) ?? []) merged.set(name, value)
  return { ...device, values: merged }
}

/** The line of bytes that are text; null where they are none. */
export function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

class Reading {
  private readonly read: ReadPart
  private readonly manifest: Manifest
  private readonly problems: Problem[]
  private readonly contents = new Map<string, Uint8Array>()
  private readonly templates = new Map<string, Template>()

  constructor(read: ReadPart, manifest: Manifest, problems: Problem[]) {
    this.read = read
    this.manifest = manifest
    this.problems = problems
  }

  bundle(): Bundle {
    const { manifest, contents, templates } = this
    for (const file of manifest.files) this.take(file)
    let total = 0
    for (const content of contents.values()) total += content.length
    if (total > LIMITS.totalBytes)
      this.note({ line: 1, column: 1 }, `The bundle has more than ${LIMITS.totalBytes} bytes.`)
    this.checkGaps()
    return { manifest, contents, templates }
  }

  private take({ source, ...at }: ManifestFile): void {
    if (source.is === 'absent') return
    const { from } = source
    const content = this.contents.get(from) ?? this.read(from)
    if ('wrong' in content) {
      this.note(at, `${from} ${content.wrong}.`)
      return
    }
    if (content.length > LIMITS.fileBytes) {
      this.note(at, `${from} has ${content.length} bytes, more than ${LIMITS.fileBytes}.`)
      return
    }
    this.contents.set(from, content)
    if (source.is !== 'template' || this.templates.has(from)) return
    const text = utf8(content)
    if (text === null) this.note(at, `${from} is no UTF-8, which a template must be.`)
    else
      this.templates.set(
        from,
        parseTemplate(text, (place, why) => this.note(place, why, from)),
      )
  }

  /** A gap that no device has a value for is a misspelling. */
  private checkGaps(): void {
    const known = new Set(['device.name'])
    for (const scope of this.manifest.values.values())
      for (const name of scope.keys()) known.add(name)
    for (const [from, template] of this.templates)
      for (const gap of allGaps(template))
        if (!known.has(gap.name)) this.note(gap, `No device has a value "${gap.name}".`, from)
  }

  private note({ line, column }: Place, message: string, file: string = MANIFEST_FILE): void {
    this.problems.push({ file, line, column, message })
  }
}
