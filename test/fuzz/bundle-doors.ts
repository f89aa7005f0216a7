/** The doors of rights, backups, bundles and pushes: see doors.ts. */

import { concat } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { AUDIT_BEGIN, auditEntry, firstBroken, parseAuditEntry } from '../../src/box/audit.ts'
import { openBackup, sealBackup } from '../../src/box/backup.ts'
import { readBundle } from '../../src/box/bundle/bundle.ts'
import { makeOut } from '../../src/box/bundle/make-out.ts'
import { readManifest } from '../../src/box/bundle/manifest.ts'
import { openParcel, packParcel } from '../../src/box/bundle/parcel.ts'
import {
  contentId,
  contentsOf,
  openRelease,
  RELEASE_SIGNATURE,
  signRelease,
} from '../../src/box/bundle/release.ts'
import { allGaps, fill, parseTemplate } from '../../src/box/bundle/template.ts'
import { readYaml } from '../../src/box/bundle/yaml-document.ts'
import { ownerGrant, parseGrant } from '../../src/box/grant.ts'
import { readGrant, signGrant } from '../../src/box/grant-statement.ts'
import * as report from '../../src/box/push-report.ts'
import type { Json } from '../../src/box/push-talk.ts'
import { parseScope, WHOLE_SCOPE } from '../../src/box/scope.ts'
import { sealAead } from '../../src/crypto/aead.ts'
import { passphraseKey } from '../../src/crypto/passphrase.ts'
import { openSealed, sealForZone } from '../../src/crypto/sealed.ts'
import { SIGNATURE_SIZE } from '../../src/crypto/signing.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { utf8 } from '../vectors.ts'
import { type ByteDoor, expected, now, random, type TextDoor, zone } from './doors.ts'

const GRANT_SIGNATURE = 0xb0c5_0002
const terms = {
  ...{ device: zone.zone, holder: zone.zone, number: now, until: now + 1, name: 'kris' },
  ...{ rights: ['shell', 'push'] as const },
}
const narrow = { ...WHOLE_SCOPE, commands: ['ls *'], paths: ['/srv'], targets: ['*:22'] }
const grants = [WHOLE_SCOPE, narrow].map(scope => signGrant(zone, { ...terms, scope }))

const release = signRelease(
  {
    ...{ device: zone.zone, signer: zone.zone, sequence: now, name: 'firewall', drift: 'report' },
    ...{ confirmSeconds: 90, commandSeconds: 60 },
    files: [
      {
        ...{ is: 'file', path: '/etc/a', content: contentId(utf8('a')), size: 1, mode: 0o644 },
        owner: 'root',
      },
      { is: 'absent', path: '/etc/b' },
    ],
    uci: [
      { config: 'network', change: { is: 'delete', section: 'wan6', option: null } },
      { config: 'network', change: { is: 'list', section: 'lan', option: 'dns', values: ['a'] } },
    ],
    ...{ packages: ['nft'], before: ['true'], apply: ['reload'], after: [], undo: ['reload'] },
    reload: ['nftables'],
  },
  zone,
)
const bodyOf = (signed: Uint8Array): Uint8Array => signed.slice(SIGNATURE_SIZE)
const signedBy = (purpose: number, body: Uint8Array): Uint8Array =>
  concat(zone.sign(purpose, body), body)

const PASSPHRASE = 'correct horse'
/** The lowest that is taken; each case costs a scrypt. */
const COST = 14
const COST_AT = 8
const HEADER = { salt: 9, nonce: 25, size: 37 }
const NOTES = new Map([
  ['ego', utf8('{"secret":"00"}')],
  ['empty', new Uint8Array(0)],
])
const backup = sealBackup(NOTES, PASSPHRASE, random, COST)
const header = backup.subarray(0, HEADER.size)
const backupKey = passphraseKey(PASSPHRASE, header.slice(HEADER.salt, HEADER.nonce), COST)
/** What is in a backup, as somebody with the passphrase may have written it. */
const sealNotes = (plain: Uint8Array): Uint8Array =>
  concat(header, sealAead(backupKey, header.subarray(HEADER.nonce), plain, header))
const notes = utf8('{"version":1,"files":[["ego",2],["empty",0]]}')
const plainNotes = concat(Uint8Array.of(0, 0, 0, notes.length), notes, new Uint8Array(20))

const parcel = packParcel({ signed: release, contents: [utf8('a'), utf8('b')] }, zone.zone, random)!
const openOwnParcel = (bytes: Uint8Array) => openParcel(zone, bytes)

export const BUNDLE_BYTE_DOORS: readonly ByteDoor[] = [
  { name: 'grant as it travels', of: ['readGrant'], right: grants, read: readGrant },
  {
    name: 'grant that somebody signed',
    of: [],
    right: grants.map(bodyOf),
    read: bytes => readGrant(signedBy(GRANT_SIGNATURE, bytes)),
  },
  { name: 'release as it travels', of: ['openRelease'], right: [release], read: openRelease },
  {
    name: 'release that somebody signed',
    of: [],
    right: [bodyOf(release)],
    read: bytes => contentsOf(openRelease(signedBy(RELEASE_SIGNATURE, bytes))),
  },
  {
    name: 'sealed for a zone',
    of: ['openSealed'],
    right: [sealForZone(zone.zone, utf8('hunter22'), random)],
    read: bytes => openSealed(zone, bytes),
  },
  { name: 'parcel as it travels', of: ['openParcel'], right: [parcel], read: openOwnParcel },
  {
    name: 'parcel that somebody sealed',
    of: [],
    right: [openSealed(zone, parcel)!],
    read: bytes => openOwnParcel(sealForZone(zone.zone, bytes, random)),
  },
  {
    name: 'backup',
    of: ['openBackup'],
    isSlow: true,
    right: [backup],
    read: bytes => {
      // What a file may cost has its own test: here it would be a second and a gigabyte a case.
      if ((bytes[COST_AT] ?? 0) <= COST + 1) openBackup(bytes, PASSPHRASE)
    },
  },
  {
    name: 'list in a backup',
    of: [],
    isSlow: true,
    right: [plainNotes],
    read: bytes => openBackup(sealNotes(bytes), PASSPHRASE),
  },
]

/** A reader of what JSON gave: the text is parsed first, where it is any. */
const ofJson =
  (read: (value: unknown) => unknown) =>
  (text: string): void => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return
    }
    read(value)
  }
/** A device's answer; what is no object never comes so far (push-talk.ts). */
const ofAnswer = (read: (said: Json) => unknown) =>
  ofJson(value => {
    if (value !== null && typeof value === 'object') read(value as Json)
  })

const outcome = {
  ...{ id: 'ab', is: 'confirmed', name: 'motd', sequence: 1, generation: 1, reason: null },
  complaints: ['x'],
}
const pushStatus = {
  ...{ sequence: 1, generation: 1, open: { id: 'ab', name: 'motd', awaiting: true } },
  last: outcome,
  generations: [{ number: 1, name: 'motd', sequence: 1, signer: 'z', at: 1, files: 1 }],
}
/** Objects without a text: what `String` and templates fail on. */
const ODD = '{"toString":null,"valueOf":null}'

interface AnswerDoor {
  readonly name: string
  readonly of: string
  readonly read: (said: Json) => unknown
  readonly right: object
  readonly odd: string
}
const ANSWERS: readonly AnswerDoor[] = [
  {
    ...{ name: 'outcome of a push', of: 'readOutcome', read: report.readOutcome, right: outcome },
    odd: `{"id":${ODD}}`,
  },
  {
    ...{ name: 'status of pushes', of: 'readStatus', read: report.readStatus, right: pushStatus },
    odd: `{"sequence":1,"generation":1,"open":null,"last":null,"generations":[null,${ODD}]}`,
  },
  {
    ...{ name: 'changes of a push', of: 'readChanges', read: report.readChanges },
    ...{ right: { changes: [{ path: '/a', what: 'new' }] }, odd: `{"changes":[null,${ODD}]}` },
  },
  {
    ...{ name: 'drift', of: 'readDrift', read: report.readDrift },
    right: { drift: [{ path: '/a', bundle: 'b', what: 'content' }] },
    odd: `{"drift":[null,${ODD}]}`,
  },
  {
    ...{ name: 'what waits at a relay', of: 'readWaiting', read: report.readWaiting },
    right: { parcels: [{ id: 'x-1', sequence: 1, size: 1 }] },
    odd: `{"parcels":[null,${ODD}]}`,
  },
  {
    ...{ name: 'files of a device', of: 'readFiles', read: report.readFiles },
    right: { files: [{ path: '/a', size: 1, mode: 1, uid: 0, gid: 0 }] },
    odd: `{"files":[null,${ODD}]}`,
  },
  {
    ...{ name: 'contents that a device lacks', of: 'readMissing', read: report.readMissing },
    ...{ right: { missing: ['ab'] }, odd: `{"missing":[${ODD}]}` },
  },
]

const MANIFEST = `bundle: 1
name: firewall
confirm: 30
drift: repair
roots: [/etc]
files:
  /etc/nft.conf: { from: nft.conf, mode: 0600, owner: root:root }
  /etc/hostname: { template: hostname, only: ['@ap', kitchen] }
  /etc/old.conf: { absent: true }
uci:
  network.lan.proto: static
  network.lan.dns: [192.0.2.1]
  network.wan6: null
values:
  all: { ntp: pool.ntp.org, channel: 1 }
  '@ap': { channel: 6 }
packages: [nftables]
before: ['nft -c -f x']
apply:
  - systemctl reload nftables
`
const TEMPLATE = 'h={{ device.name }} {{ ntp }}{{ if not @ap }} {{ "{{" }}{{ else }} w{{ end }}\n'
const OTHER_YAML = [
  'a: &x [1, 2]\nb: *x\n',
  '? [a]\n: !!set {b}\n',
  '- |\n  x\n- >-\n  y\n',
  '%YAML 1.2\n---\na\n...\n',
]
const recipient = { name: 'kitchen', tags: ['ap'], values: new Map([['ntp', 'x']]) }
const audit = auditEntry(
  AUDIT_BEGIN,
  { who: 'kris', zone: 'z', key: '', what: 'exec', detail: 'ls', result: '0' },
  now,
)
const grant = ownerGrant(zone.zone, { holder: 'home', deviceName: 'kitchen' }, now)

/** As those who read a grant or a scope out of JSON have it: they make a BoxError of what a wrong shape throws. */
const shapeless = (read: (value: unknown) => unknown) => (value: unknown) => {
  try {
    return read(value)
  } catch (cause) {
    if (cause instanceof TypeError) throw new BoxError('STATE_UNEXPECTED', undefined, cause)
    throw cause
  }
}

/** What the lint lets through can be made out to a device, and the device takes it. */
function taken(manifest: string, part: string): void {
  const bundle = readBundle(path => utf8(path === 'bundle.yaml' ? manifest : part), [])
  if (!bundle && manifest === MANIFEST && part === TEMPLATE)
    throw new TypeError('what is right is refused')
  if (!bundle) return
  const device = { ...recipient, zone: zone.zone }
  const { signed } = makeOut({ bundle, device, owner: zone, sequence: now, random })
  try {
    openRelease(signed)
  } catch (cause) {
    throw new TypeError('the device refuses it', { cause })
  }
}

export const BUNDLE_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'entry of the audit journal',
    of: ['parseAuditEntry'],
    right: [JSON.stringify(audit)],
    read: ofJson(value => {
      const entry = parseAuditEntry(value)
      if (entry) firstBroken(AUDIT_BEGIN, [entry])
    }),
  },
  {
    name: 'grant of JSON',
    of: ['parseGrant'],
    right: [grant, { ...grant, scope: narrow, until: 5 }].map(one =>
      JSON.stringify({ ...one, zone: zoneToText(one.zone) }),
    ),
    read: ofJson(shapeless(parseGrant)),
  },
  {
    name: 'scope of JSON',
    of: ['parseScope'],
    right: [WHOLE_SCOPE, narrow].map(scope => JSON.stringify(scope)),
    read: ofJson(shapeless(parseScope)),
  },
  ...ANSWERS.map(({ name, of, read, right, odd }) => ({
    ...{ name, of: [of], right: [JSON.stringify(right)], also: [odd] },
    read: ofAnswer(read),
  })),
  {
    name: 'YAML',
    of: ['readYaml'],
    right: [MANIFEST, ...OTHER_YAML],
    read: text => readYaml(text, () => {}),
  },
  {
    name: 'manifest',
    of: ['readManifest'],
    right: [MANIFEST],
    read: text => readManifest(text, []),
  },
  {
    name: 'template',
    of: ['parseTemplate'],
    right: [TEMPLATE],
    read: text => {
      const template = parseTemplate(text, () => {})
      allGaps(template)
      return fill(template, recipient)
    },
  },
  {
    name: 'bundle',
    of: ['readBundle'],
    right: [MANIFEST, TEMPLATE],
    read: text => {
      for (const [manifest, part] of [
        [text, TEMPLATE],
        [MANIFEST, text],
      ] as const)
        expected(() => taken(manifest, part))
    },
  },
]
