/**
 * The three formats of packages, written by ourselves: each is some tar archives in a row, and so the same
 * files give the same bytes. deb(5); opkg's ipk (OpenWrt up to 24.10); apk's format 2 (OpenWrt 25.12,
 * installed with --allow-untrusted).
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants, gzipSync } from 'node:zlib'
import { type Entry, tar, withFolders } from './tar.ts'

export interface Package {
  readonly name: string
  /** Of the program. */
  readonly version: string
  /** Of the packaging of this version. */
  readonly revision: number
  /** As the format calls it. */
  readonly architecture: string
  readonly depends: readonly string[]
  /** What it is in one line, then more lines. */
  readonly summary: string
  readonly description: readonly string[]
  /** Paths without the first slash. */
  readonly files: readonly Entry[]
  /** The owner's: kept when edited. Paths of files that are in the package. */
  readonly settings: readonly string[]
  /** Scripts of the package manager, by the names this format has for them. */
  readonly scripts: Readonly<Record<string, string>>
}

const LICENCE = 'AGPL-3.0-or-later'
const MAINTAINER = 'secushare BOX <box@secushare.org>'
const HOMEPAGE = 'https://secushare.org/'
const encoder = new TextEncoder()

const gzip = (content: Uint8Array): Uint8Array =>
  new Uint8Array(gzipSync(content, { level: constants.Z_BEST_COMPRESSION }))

const text = (path: string, content: string, mode?: number): Entry => ({
  path,
  is: 'file',
  content: encoder.encode(content),
  ...(mode === undefined ? {} : { mode }),
})

const scriptEntries = ({ scripts }: Package, prefix = ''): Entry[] =>
  Object.entries(scripts).map(([name, content]) => text(`${prefix}${name}`, content, 0o755))

const sizeOf = (files: readonly Entry[]): number =>
  files.reduce((total, entry) => total + (entry.is === 'file' ? entry.content.length : 0), 0)

/** Fields of opkg and dpkg. */
function control(pack: Package, fields: Readonly<Record<string, string>>): string {
  const { name, version, revision, architecture, depends, summary, description } = pack
  const all = {
    Package: name,
    Version: fields.Version ?? `${version}-${revision}`,
    Architecture: architecture,
    Maintainer: MAINTAINER,
    ...(depends.length > 0 ? { Depends: depends.join(', ') } : {}),
    ...fields,
  }
  const lines = Object.entries(all).map(([key, value]) => `${key}: ${value}\n`)
  return `${lines.join('')}Description: ${summary}\n${description.map(line => ` ${line}\n`).join('')}`
}

/** A package for opkg. */
export function ipk(pack: Package): Uint8Array {
  const { files, version, revision, settings, description } = pack
  const fields = {
    Version: `${version}-r${revision}`,
    Source: 'deploy/openwrt',
    License: LICENCE,
    Section: 'net',
    'Installed-Size': String(sizeOf(files)),
  }
  const controls = [
    text('control', control({ ...pack, description: [description.join(' ')] }, fields)),
    text('conffiles', settings.map(path => `/${path}\n`).join('')),
    ...scriptEntries(pack),
  ]
  return gzip(
    tar([
      text('./debian-binary', '2.0\n'),
      { path: './data.tar.gz', is: 'file', content: gzip(tar(withFolders(files, './'))) },
      { path: './control.tar.gz', is: 'file', content: gzip(tar(withFolders(controls, './'))) },
    ]),
  )
}

/** A package for apk: what is told of it, then the files, each an archive of its own. */
export function apk(pack: Package): Uint8Array {
  const { name, version, revision, architecture, depends, summary, settings } = pack
  // Read by OpenWrt's sysupgrade; apk itself keeps whatever is edited below /etc.
  const list = text(
    `lib/apk/packages/${name}.conffiles`,
    settings.map(path => `/${path}\n`).join(''),
  )
  const files = withFolders([...pack.files, list], '')
  const sha1 = (entry: Entry): Readonly<Record<string, string>> => {
    if (entry.is === 'folder') return {}
    const content = entry.is === 'file' ? entry.content : encoder.encode(entry.to)
    const hash = createHash('sha1').update(content).digest('hex')
    return { 'APK-TOOLS.checksum.SHA1': hash }
  }
  const data = gzip(tar(files, { extended: sha1 }))
  const info = [
    ['pkgname', name],
    ['pkgver', `${version}-r${revision}`],
    ['pkgdesc', summary],
    ['url', HOMEPAGE],
    ['arch', architecture],
    ['license', LICENCE],
    ['size', String(sizeOf(files))],
    ...depends.map(other => ['depend', other]),
    ['datahash', createHash('sha256').update(data).digest('hex')],
  ]
  const about = text('.PKGINFO', info.map(([key, value]) => `${key} = ${value}\n`).join(''))
  const told = gzip(tar([about, ...scriptEntries(pack)], { open: true }))
  return new Uint8Array(Buffer.concat([told, data]))
}

export interface DebOptions {
  /** Packs less tightly, in a tenth of the time: for tests. */
  readonly quick?: boolean
}

/** A package for dpkg. */
export function deb(pack: Package, { quick = false }: DebOptions = {}): Uint8Array {
  const { files, settings } = pack
  const fields = {
    'Installed-Size': String(Math.ceil(sizeOf(files) / 1_024)),
    Section: 'net',
    Priority: 'optional',
    Homepage: HOMEPAGE,
  }
  const sums = files.flatMap(entry =>
    entry.is === 'file' && !settings.includes(entry.path)
      ? [`${createHash('md5').update(entry.content).digest('hex')}  ${entry.path}\n`]
      : [],
  )
  const controls = [
    text('control', control(pack, fields)),
    text('md5sums', sums.toSorted().join('')),
    text('conffiles', settings.map(path => `/${path}\n`).join('')),
    ...scriptEntries(pack),
  ]
  return ar([
    ['debian-binary', encoder.encode('2.0\n')],
    ['control.tar.xz', xz(tar(withFolders(controls, './')), quick)],
    ['data.tar.xz', xz(tar(withFolders(files, './')), quick)],
  ])
}

function xz(content: Uint8Array, quick: boolean): Uint8Array {
  // One thread: with more, the result depends on how many.
  const options = { input: content, maxBuffer: content.length + 2 ** 20 }
  return new Uint8Array(execFileSync('xz', [quick ? '-0' : '-9', '-T1', '-c'], options))
}

/** ar(5), as dpkg wants it. */
function ar(members: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const parts = members.flatMap(([name, content]) => {
    const fields = [
      name.padEnd(16),
      '0'.padEnd(12),
      '0'.padEnd(6),
      '0'.padEnd(6),
      '100644'.padEnd(8),
    ]
    const header = `${fields.join('')}${String(content.length).padEnd(10)}\`\n`
    return [encoder.encode(header), content, encoder.encode(content.length % 2 ? '\n' : '')]
  })
  return new Uint8Array(Buffer.concat([encoder.encode('!<arch>\n'), ...parts]))
}
