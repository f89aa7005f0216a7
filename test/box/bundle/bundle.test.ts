import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Bundle, readBundle, recipientOf } from '../../../src/box/bundle/bundle.ts'
import { makeOut } from '../../../src/box/bundle/make-out.ts'
import { contentId } from '../../../src/box/bundle/release.ts'
import type { Problem } from '../../../src/box/bundle/yaml-document.ts'
import { openSealed } from '../../../src/crypto/sealed.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { seededRandom } from '../../sim/random.ts'

const random = seededRandom(1)
const owner = ZoneSecret.generate('EDKEY', random)
const encoder = new TextEncoder()
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

function read(parts: Record<string, string>): { bundle: Bundle | null; problems: Problem[] } {
  const problems: Problem[] = []
  const bundle = readBundle(
    path => (parts[path] === undefined ? { wrong: 'is not there' } : encoder.encode(parts[path])),
    problems,
  )
  return { bundle, problems }
}

const lint = (manifest: string, parts: Record<string, string> = {}) =>
  read({ ...parts, 'bundle.yaml': manifest }).problems.map(
    ({ file, line, message }) => `${file}:${line} ${message}`,
  )

const GOOD = `bundle: 1
name: firewall
confirm: 30
files:
  /etc/nft.conf: { from: nft.conf, mode: 0600, owner: root:root }
  /etc/hostname: { template: hostname }
  /etc/wifi.key: { from: wifi.key, secret: true, only: ['@ap'] }
  /etc/old.conf: { absent: true }
values:
  all: { ntp: pool.ntp.org, channel: 1 }
  '@ap': { channel: 6 }
  kitchen: { ntp: 10.0.0.1 }
before: ['nft -c -f "$BOX_STAGE/etc/nft.conf"']
apply:
  - systemctl reload nftables
after: []
`
const PARTS = {
  'nft.conf': 'table inet x\n',
  hostname: 'h={{ device.name }} {{ ntp }}{{ if @ap }} ch={{channel}}{{ else }} wired{{ end }}\n',
  'wifi.key': 'hunter22',
}

describe('the lint', () => {
  test('has nothing to say about a good bundle', () => {
    expect(lint(GOOD, PARTS)).toEqual([])
  })

  test('names every mistake with its line, all in one run', () => {
    const manifest = `bundle: 2
name: ''
files:
  etc/a: { from: a }
  /etc/../b: { from: a }
  /usr/bin/c: { from: a }
  /etc/d: { from: a, mode: 888, owner: 'no body' }
  /etc/e: { from: ../e }
  /etc/f: {}
  /etc/g: { absent: true, mode: 0644 }
  /etc/h: { from: a, template: a }
  /etc/i: { from: missing }
  /etc/d/below: { from: a }
  /etc/k: { from: a, secret: true, mode: 0644 }
colour: red
confirm: 0
apply: reboot
reload: [nftables, '--force', a/b]
`
    expect(lint(manifest, { a: '' })).toEqual([
      'bundle.yaml:1 "bundle: 1" must say which version of the format this is.',
      'bundle.yaml:2 A name has letters, digits, "-", "_", "." and at most 64 of them.',
      'bundle.yaml:4 The path "etc/a" is not absolute.',
      'bundle.yaml:5 The path "/etc/../b" has ".." in it.',
      'bundle.yaml:6 /usr/bin/c lies below none of the roots: /etc, /home, /opt, /root, /srv, /usr/local, /var/lib, /www.',
      'bundle.yaml:7 mode is written in octal digits: 0644.',
      'bundle.yaml:7 owner is USER or USER:GROUP, by name or number.',
      'bundle.yaml:8 "../e" is no path inside the bundle.',
      'bundle.yaml:9 Say one of from, template and absent.',
      'bundle.yaml:10 An absent file has no mode.',
      'bundle.yaml:11 Say one of from, template and absent.',
      'bundle.yaml:13 /etc/d/below lies below another file of the bundle.',
      'bundle.yaml:14 A secret must not be open to everybody.',
      'bundle.yaml:15 "colour" is no field: there are bundle, name, confirm, timeout, drift, roots, files, uci, values, packages, before, apply, after, undo, reload.',
      'bundle.yaml:16 confirm takes seconds, 1 to 3600.',
      'bundle.yaml:17 apply is a list.',
      'bundle.yaml:18 "--force" is no name of a service.',
      'bundle.yaml:18 "a/b" is no name of a service.',
    ])
  })

  test('looks for the files, once the manifest itself is right', () => {
    const manifest = 'bundle: 1\nname: x\nfiles:\n  /etc/a: { from: missing }\n'
    expect(lint(manifest)).toEqual(['bundle.yaml:4 missing is not there.'])
  })

  test.for([
    ['{{ ntq }}', '1 No device has a value "ntq".'],
    ['\n{{ ntp', '2 This {{ is not closed on its line.'],
    ['{{ if @ap }}', '1 This {{ if }} has no {{ end }}.'],
    ['{{ end }}', '1 This {{ end }} belongs to no {{ if }}.'],
    ['{{ else }}', '1 This {{ else }} belongs to no {{ if }}.'],
    ['{{ a + b }}', '1 "a + b" is neither a value nor if, else, end.'],
  ])('finds in the template %j what is wrong', ([hostname, wanted]) => {
    expect(lint(GOOD, { ...PARTS, hostname: hostname! })).toEqual([`hostname:${wanted}`])
  })

  test('gives up a template that nests without end, and is soon done with a long one', () => {
    const deep = lint(GOOD, { ...PARTS, hostname: '{{ if @ap }}'.repeat(50_000) })
    expect(deep).toEqual(['hostname:1 This is nested too deeply.'])
    const since = performance.now()
    expect(lint(GOOD, { ...PARTS, hostname: `\n{{ ntp }}`.repeat(50_000) })).toEqual([])
    expect(performance.now() - since).toBeLessThan(5_000)
  })

  test.for([
    ['a: [', 'bundle.yaml:1'],
    ['a: 1\na: 2', 'bundle.yaml:2'],
    ['x: &y [1]\nz: *y', 'bundle.yaml:2 Aliases are not allowed.'],
    ['bundle: 1\nname: x\napply: ["\\ud800"]', 'bundle.yaml:3 This is half a character'],
    ['- a', 'bundle.yaml:1 A manifest is a map'],
    ['', 'bundle.yaml:1 A manifest is a map'],
    ['bundle: 1\nname: x', 'bundle.yaml:1 This bundle changes nothing'],
    ['bundle: 1\nname: x\nuci:\n  a.b.c: "\\0"', 'bundle.yaml:4 A value of uci has no NUL in it.'],
    ['bundle: 1\nname: x\nuci:\n  a.b: "c d"', 'bundle.yaml:4 "c d" is no type of a section.'],
    [
      `bundle: 1\nname: x\nuci:\n  a.b.c: [${'x'.repeat(70_000)}]`,
      'bundle.yaml:4 A value of uci has at most',
    ],
  ])('refuses %j', ([manifest, wanted]) => {
    expect(lint(manifest!)[0]).toContain(wanted)
  })

  test('says something about any text, and never throws', () => {
    const words = fc.constantFrom(
      ...[
        'bundle: 1',
        'name: x',
        'files:',
        '  /etc/a: {',
        'from: a',
        '}',
        ': ',
        '- ',
        '\n',
        '*',
        '&a',
      ],
      ...[
        '{{',
        '"',
        "'",
        '\t',
        '|',
        '>',
        '!!binary',
        '? ',
        '/..',
        '0x',
        'null',
        '[',
        ']',
        'values:',
      ],
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string())), parts => {
        const { bundle, problems } = read({ 'bundle.yaml': parts.join(''), a: '' })
        expect(bundle === null).toBe(problems.length > 0)
        for (const { line, column } of problems) expect(Math.min(line, column)).toBeGreaterThan(0)
      }),
    )
  })
})

describe('a bundle made out to a device', () => {
  const made = (name: string, tags: string[], secret = ZoneSecret.generate('EDKEY', random)) => {
    const { bundle } = read({ ...PARTS, 'bundle.yaml': GOOD })
    const device = { name, tags, zone: secret.zone }
    return makeOut({ bundle: bundle!, device, owner, sequence: 7, random })
  }

  test('has its own values, which win over those of its tags and of all', () => {
    expect(textOf(made('kitchen', ['ap']).plain.get('/etc/hostname')!)).toBe(
      'h=kitchen 10.0.0.1 ch=6\n',
    )
    expect(textOf(made('attic', []).plain.get('/etc/hostname')!)).toBe(
      'h=attic pool.ntp.org wired\n',
    )
  })

  test('has only the files that are meant for it', () => {
    const paths = (tags: string[]) => made('attic', tags).release.files.map(({ path }) => path)
    expect(paths([])).not.toContain('/etc/wifi.key')
    expect(paths(['ap'])).toContain('/etc/wifi.key')
  })

  test('carries secrets so that only this device can read them', () => {
    const device = ZoneSecret.generate('EDKEY', random)
    const { release, contents, plain } = made('attic', ['ap'], device)
    expect(plain.has('/etc/wifi.key')).toBe(false)
    expect(contents.some(content => textOf(content).includes('hunter22'))).toBe(false)
    const file = release.files.find(({ path }) => path === '/etc/wifi.key')!
    if (file.is !== 'sealed') throw new Error('not sealed')
    expect(file.mode).toBe(0o600)
    const sealed = contents.find(one => contentId(one).join() === file.content.join())!
    expect(textOf(openSealed(device, sealed)!)).toBe('hunter22')
    expect(openSealed(ZoneSecret.generate('EDKEY', random), sealed)).toBeNull()
    expect(openSealed(device, sealed.with(40, sealed[40]! ^ 1))).toBeNull()
    expect(openSealed(device, sealed.subarray(0, 20))).toBeNull()
  })

  test('is not made where a value is missing, and says which, where and for whom', () => {
    const manifest =
      'bundle: 1\nname: x\nfiles: { /etc/a: { template: a } }\nvalues: { b: { v: 1 } }\n'
    const { bundle } = read({ 'bundle.yaml': manifest, a: 'x\n{{ v }}' })
    const device = { name: 'attic', tags: [], zone: owner.zone }
    expect(() => makeOut({ bundle: bundle!, device, owner, sequence: 1, random })).toThrow(
      'a:2: attic has no value "v".',
    )
  })

  test('leaves text without gaps as it is', () => {
    fc.assert(
      fc.property(
        fc.string().filter(text => !text.includes('{{')),
        text => {
          const manifest = 'bundle: 1\nname: x\nfiles: { /etc/a: { template: a } }\n'
          const { bundle } = read({ 'bundle.yaml': manifest, a: text })
          const device = { name: 'attic', tags: [], zone: owner.zone }
          const { plain } = makeOut({ bundle: bundle!, device, owner, sequence: 1, random })
          expect(plain.get('/etc/a')).toEqual(encoder.encode(text))
        },
      ),
    )
  })

  test('takes the values of tags in their alphabetical order', () => {
    const values = "values:\n  '@b': { v: b }\n  '@a': { v: a }\n"
    const { bundle } = read({ 'bundle.yaml': `bundle: 1\nname: x\napply: [true]\n${values}` })
    const { values: merged } = recipientOf(bundle!.manifest, { name: 'x', tags: ['b', 'a'] })
    expect(merged.get('v')).toBe('b')
  })
})
