/** The doors of the machine, of a GNUnet installation, and of what people type: see doors.ts. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listFiles, readFileFor } from '../../agent/file-reading.ts'
import * as proc from '../../agent/proc-text.ts'
import { openRelease } from '../../agent/release.ts'
import * as states from '../../agent/service-states.ts'
import { readServiceNames } from '../../agent/watched-services.ts'
import { openBundle } from '../../controller/bundle-directory.ts'
import { parseSocks, parseTunnel } from '../../controller/tunnels.ts'
import { BoxError } from '../../src/base/errors.ts'
import { hashCode } from '../../src/base/ids.ts'
import { openReleaseHead, readReleaseHead, releaseHead } from '../../src/box/executable-release.ts'
import { parseShells, shellsText } from '../../src/box/kept-shells.ts'
import { clockReading, readClockReading } from '../../src/box/other-clock.ts'
import type { Json } from '../../src/box/push-talk.ts'
import { readMissingPieces, readUpgradeState } from '../../src/box/upgrade-report.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { decodeStored, encodeStored } from '../../src/gns/namestore-keeper.ts'
import * as data from '../../src/gns/record-data.ts'
import { expand, findDaemon, parseConfiguration } from '../../src/mesh/ipc/configuration.ts'
import { readHelloUri } from '../../src/mesh/ipc/hellos.ts'
import {
  LoanReader,
  LoanWords,
  readWords,
  resultOf,
  resultWords,
  statusOf,
  statusWords,
  wordsOf,
} from '../../src/mesh/loan/words.ts'
import { realDisk } from '../../src/sys/disk.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { utf8 } from '../vectors.ts'
import { type ByteDoor, expected, hour, now, peer, random, type TextDoor } from './doors.ts'

const records = [
  data.txtRecord('hello', hour),
  data.nickRecord('kitchen', { atMs: now + 3_600_000 }),
]

export const MACHINE_BYTE_DOORS: readonly ByteDoor[] = [
  {
    name: 'words about a loan',
    of: ['readWords'],
    right: [wordsOf({ do: 'mesh' }), wordsOf({ closed: 'CHANNEL_LOST', detail: 'x' })],
    read: bytes => [readWords(bytes), new LoanReader().push(bytes)],
  },
  {
    name: 'records of a NAMESTORE',
    of: ['decodeStored'],
    right: [encodeStored(records), encodeStored([])],
    read: bytes => [decodeStored(2, bytes), decodeStored(0xffff_ffff, bytes)],
  },
  {
    name: 'what a clock says',
    of: ['readClockReading'],
    right: [clockReading(now), clockReading(0)],
    read: readClockReading,
  },
]

const CONFIGURATION = `# of the peer
[PATHS]
GNUNET_HOME = \${GNUNET_TEST_HOME:-\${HOME:-/root}}/.local
GNUNET_RUNTIME_DIR = "$GNUNET_HOME/\${USER:-user}"
@INLINE@ /etc/gnunet.conf
[core]
UNIXPATH = $GNUNET_RUNTIME_DIR/core.sock
[gns]
.pin = 000G0037FH3QTBCK15Y8BCCNRVWPV17ZC7TSGB1C9ZG2TPGHZVFV1GMG3W
`
const installationOf = (text: string) => ({
  env: { HOME: '/root', TMPDIR: '/tmp' },
  read: () => text,
  list: () => [],
  exists: () => false,
  groupOf: () => null,
  version: () => null,
})

const HELLO_URI = `gnunet://hello/${encodeBase32(peer)}/${encodeBase32(random.bytes(64))}/1900000000000000`

const MEMORY = 'MemTotal:        1000 kB\nMemFree:  10 kB\nBuffers: 1 kB\nCached: 2 kB\n'
const NET_DEV = `Inter-|   Receive  |  Transmit
    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
  eth0: 9 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
`
const MOUNTS =
  '/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /my\\040disk xfs rw 0 0\nproc /proc proc rw 0 0\n'

const UNITS = ['active', 'failed']
  .map(
    state =>
      `LoadState=loaded\nActiveState=${state}\nSubState=x\nStateChangeTimestamp=Thu 2026-11-26 10:00:00 UTC\n`,
  )
  .join('\n')
const PROCD =
  '{"dnsmasq":{"instances":{"a":{"running":true,"pid":7}}},"log":{"instances":{"b":{"running":false,"exit_code":1}}}}'
const STAT = `7 (a ) b) S ${'1 '.repeat(18)}12345 1\n`
const namesIn = (text: string) => {
  try {
    return readServiceNames(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** What a lender, or a borrower, says. */
const said = (text: string) => readWords(LoanWords.encode({ json: utf8(text) }))

export const MACHINE_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'how a lent mesh is',
    of: [],
    right: [
      JSON.stringify(
        statusWords({
          engine: 'gnunet',
          neighbours: [{ peer, address: '192.0.2.1:2086', state: 'up' }],
          tunnels: [{ peer, state: 'keying', channels: 2, paths: [[peer, peer], []] }],
          counters: { 'cadet.relayed': 7 },
          about: 'GNUnet',
          troubles: [{ kind: 'service', peer: null, detail: 'x', cure: 'y' }],
        }),
      ),
    ],
    read: text => statusOf(said(text)),
  },
  {
    name: 'a block that a lender found',
    of: [],
    right: [
      JSON.stringify(
        resultWords({
          ...{ type: 8, key: hashCode(random.bytes(64)), replication: 5, options: 1 },
          ...{ data: random.bytes(37), expiresAt: now, putPath: [peer], getPath: [] },
        }),
      ),
    ],
    read: text => resultOf(said(text)),
  },
  {
    name: 'shells of a device',
    of: ['parseShells'],
    right: [
      shellsText({
        keepMs: 1_800_000,
        shells: [{ id: '4tq0w9zr', state: 'kept', program: 'vim', startedAt: 5, silentMs: 7 }],
      }),
    ],
    read: parseShells,
  },
  {
    name: 'configuration of GNUnet',
    of: ['parseConfiguration'],
    right: [CONFIGURATION],
    also: ['[core]\nUNIXPATH = $__proto__/$constructor\n'],
    read: text => {
      const sections = new Map<string, Map<string, string>>()
      parseConfiguration(text, sections, () => text)
      for (const section of sections.values())
        for (const value of section.values()) expand(value, sections, { HOME: '/root' })
      return findDaemon(installationOf(text), '/etc/gnunet.conf').socket('core')
    },
  },
  {
    name: 'HELLO URI',
    of: ['readHelloUri'],
    right: ['', '?tcp=192.0.2.1%3A2086&udp=%5B2001%3Adb8%3A%3A1%5D%3A1'].map(
      query => HELLO_URI + query,
    ),
    also: ['%', '%ff', '%00', '\ud800'].map(wrong => `${HELLO_URI}?tcp=${wrong}`),
    read: readHelloUri,
  },
  ...(
    [
      ['load', 'parseLoad', proc.parseLoad, '0.52 0.58 0.59 1/500 1234\n'],
      ['memory', 'parseMemory', proc.parseMemory, MEMORY],
      ['uptime', 'parseUptime', proc.parseUptime, '12345.67 1.00\n'],
      ['interfaces', 'parseInterfaces', proc.parseInterfaces, NET_DEV],
      ['mounts', 'parseMounts', proc.parseMounts, MOUNTS],
      ['name', 'parseSystemName', proc.parseSystemName, 'ID=x\nPRETTY_NAME="Debian 13"\n'],
      ['temperature', 'parseTemperature', proc.parseTemperature, '48500\n'],
      ['units', 'parseUnits', (text: string) => states.parseUnits(text, 2), UNITS],
      ['procd', 'parseProcd', states.parseProcd, PROCD],
      ['start of a process', 'parseStartTime', states.parseStartTime, STAT],
      ['names of services', 'readServiceNames', namesIn, '["ssh", "process:dnsmasq"]'],
    ] as const
  ).map(([name, of, read, right]) => ({
    ...{ name: `${name} of the system`, of: [of], right: [right], read },
  })),
  {
    name: 'tunnel',
    of: ['parseTunnel'],
    right: ['8080:printer:80', '[::1]:1:[2001:db8::1]:2'],
    read: text => [parseTunnel('local', text), parseTunnel('remote', text)],
  },
  { name: 'proxy', of: ['parseSocks'], right: ['1080', '[::1]:1080'], read: parseSocks },
]

const key = SigningKey.fromSeed(random.bytes(32))
const EXECUTABLE = utf8('#!/bin/sh\n')
const releaseLine = {
  ...{ format: 1 as const, version: '1.2.3', machine: 'linux-x64', size: EXECUTABLE.length },
  sha256: '0'.repeat(64),
}
const releaseText = Buffer.concat([releaseHead(releaseLine, key), EXECUTABLE]).toString('latin1')

const head = releaseHead(releaseLine, key)
const UPGRADE_STATE = {
  ...{
    version: '1.0.0',
    machine: 'linux-x64',
    refusal: null,
    awaiting: true,
    taking: false,
    failed: '0.9.0',
  },
  trial: { version: '1.0.0', before: '0.9.0' },
}

export const RELEASE_BYTE_DOORS: readonly ByteDoor[] = [
  {
    name: 'head of a release',
    of: ['openReleaseHead', 'readReleaseHead'],
    right: [head, new Uint8Array(Buffer.concat([head, EXECUTABLE]))],
    read: bytes => {
      expected(() => openReleaseHead(bytes, [key.publicKey]))
      return readReleaseHead(bytes)
    },
  },
]

export const RELEASE_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'state of an upgrade',
    of: ['readUpgradeState'],
    right: [JSON.stringify(UPGRADE_STATE), JSON.stringify({ ...UPGRADE_STATE, trial: null })],
    read: text => readUpgradeState(objectIn(text)),
  },
  {
    name: 'pieces that a device lacks',
    of: ['readMissingPieces'],
    right: ['{"missing":[]}', '{"missing":[[0,4],[7,1]]}'],
    also: ['{"missing":[[-1,1]]}', '{"missing":[[7,9]]}', '{"missing":[null,{}]}'],
    read: text => readMissingPieces(objectIn(text), 8),
  },
]

/** As what was asked of a device: an object, whatever is in it. */
function objectIn(text: string): Json {
  try {
    const value: unknown = JSON.parse(text)
    return value !== null && typeof value === 'object' ? (value as Json) : {}
  } catch {
    throw new BoxError('STATE_UNEXPECTED')
  }
}

/** Doors that need files; each test of one leaves nothing behind but what lies below `directory`. */
export function machineDirectoryDoors(directory: string): readonly TextDoor[] {
  const top = join(directory, 'machine')
  const roots = [join(top, 'root')]
  const [root] = roots as [string]
  mkdirSync(join(root, 'sub'), { recursive: true })
  writeFileSync(join(root, 'sub', 'file'), 'x')
  symlinkSync('/etc/passwd', join(root, 'link'))
  symlinkSync('loop', join(root, 'loop'))
  const opened = (content: string | Uint8Array) => {
    const path = join(top, 'release')
    writeFileSync(path, content)
    const release = openRelease(path, [key.publicKey])
    try {
      const to = join(mkdtempSync(join(tmpdir(), 'unpacked-')), 'x')
      expected(() => release.unpack(to))
      rmSync(join(to, '..'), { recursive: true })
    } finally {
      release.close()
    }
  }
  return [
    {
      name: 'release of the executable',
      of: ['openRelease'],
      right: [releaseText],
      read: text => opened(Buffer.from(text, 'latin1')),
    },
    {
      name: 'line of a release that was signed',
      of: [],
      right: [JSON.stringify(releaseLine)],
      also: ['', 'null', '1', '"x"', '{}', '{"format":1,"version":["1.2.3"]}'],
      read: text => {
        const signature = Buffer.from(key.sign(utf8(`secushare-box release\n${text}`)))
        opened(Buffer.from(utf8(`${text}\n${signature.toString('hex')}\nx`)))
      },
    },
    {
      name: 'path of a file to be read',
      of: ['readFileFor'],
      right: [`${root}/sub/file`],
      also: [`${root}/sub`, `${root}/sub/file/x`, `${root}/link`, `${root}/loop/x`, root],
      read: text => {
        expected(() => listFiles(realDisk, text, roots))
        return readFileFor(realDisk, text, roots)
      },
    },
    {
      name: 'directory of a bundle',
      of: ['openBundle'],
      right: ['bundle: 1\nname: x\nfiles: { /etc/a: { from: a } }\n'],
      also: ['..', '.', '/', '\0', 'a/b', 'x'.repeat(300)].map(
        from => `bundle: 1\nname: x\nfiles: { /etc/a: { from: ${JSON.stringify(from)} } }\n`,
      ),
      read: text => {
        writeFileSync(join(top, 'bundle.yaml'), text)
        writeFileSync(join(top, 'a'), text)
        return openBundle(top)
      },
    },
  ]
}
