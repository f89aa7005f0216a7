import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoxError } from '../../../src/base/errors.ts'
import { type UciChange, UciFile } from '../../../src/box/bundle/uci.ts'

/** As OpenWrt 23.05 has it, with what people add. */
const NETWORK = `# made by hand
package network

config interface 'loopback'
	option device 'lo'

config interface "lan"  # the house
	option proto static
	option ipaddr '192.168.1.1'
	list dns '192.0.2.1'
	list dns "192.0.2.2"
	option note 'two
lines, one # value'

# the others
config device
	option name 'br-lan'
config device
	option name 'br-guest'`

const changed = (...changes: UciChange[]) => {
  const file = new UciFile(NETWORK)
  for (const change of changes) file.change(change)
  return file.toString()
}
const diffOf = (after: string) => {
  const [a, b] = [NETWORK, after].map(text => new Set(text.split('\n')))
  return [
    ...[...a!].filter(line => !b!.has(line)).map(line => `-${line}`),
    ...[...b!].filter(line => !a!.has(line)).map(line => `+${line}`),
  ]
}

describe('a file of uci', () => {
  test('is read as uci reads it', () => {
    const file = new UciFile(NETWORK)
    expect(file.get('lan', 'proto')).toBe('static')
    expect(file.get('lan', 'dns')).toEqual(['192.0.2.1', '192.0.2.2'])
    expect(file.get('lan', 'note')).toBe('two\nlines, one # value')
    expect(file.get('@device[0]', 'name')).toBe('br-lan')
    expect(file.get('@device[-1]', 'name')).toBe('br-guest')
    expect(file.get('@device[2]', 'name')).toBeNull()
    expect(file.get('wan', 'proto')).toBeNull()
  })

  test('changes only where it is told to', () => {
    expect(
      diffOf(changed({ is: 'set', section: 'lan', option: 'ipaddr', value: '10.0.0.1' })),
    ).toEqual(["-	option ipaddr '192.168.1.1'", "+	option ipaddr '10.0.0.1'"])
    expect(changed({ is: 'set', section: 'lan', option: 'proto', value: 'static' })).toBe(NETWORK)
    expect(diffOf(changed({ is: 'list', section: 'lan', option: 'dns', values: ['::1'] }))).toEqual(
      ["-	list dns '192.0.2.1'", '-	list dns "192.0.2.2"', "+	list dns '::1'"],
    )
    expect(changed({ is: 'delete', section: 'wan', option: 'x' })).toBe(NETWORK)
  })

  test('adds an option after the last of its section, and a section at the end', () => {
    const text = changed(
      { is: 'set', section: 'loopback', option: 'mtu', value: '1' },
      { is: 'section', section: 'guest', type: 'interface' },
      { is: 'set', section: 'guest', option: 'proto', value: "it's" },
    )
    expect(text).toContain("	option device 'lo'\n	option mtu '1'\n\nconfig interface \"lan\"")
    expect(
      text.endsWith("'br-guest'\n\nconfig interface 'guest'\n	option proto 'it'\\''s'\n"),
    ).toBe(true)
    expect(new UciFile(text).get('guest', 'proto')).toBe("it's")
  })

  test('keeps what is said about the next section when one is deleted', () => {
    const text = changed({ is: 'delete', section: 'lan', option: null })
    expect(text).not.toContain('house')
    expect(text).toContain('# the others\nconfig device')
  })

  test.for([
    ["option a 'b'\n", 'Line 1 belongs to no section.'],
    ['config a\n\toption b\n', 'Line 2 is no "option NAME VALUE".'],
    ['config a\n\n\nwhat is this\n', 'Line 4 begins with "what"'],
    ["config a\n\toption b 'c\n", 'Line 2 has a quote that is not closed.'],
    ['config\n', 'Line 1 is no "config TYPE NAME".'],
  ])('that is none is refused with its line: %j', ([text, wanted]) => {
    expect(() => new UciFile(text!)).toThrow(wanted)
  })

  const word = fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/)
  const value = fc.string({ maxLength: 12 }).filter(text => !text.includes('\0'))
  const quoted = value.map(text => `'${text.replaceAll("'", "'\\''")}'`)
  const line = fc.oneof(
    fc.tuple(word, quoted).map(([name, text]) => `\toption ${name} ${text}`),
    fc.tuple(word, quoted).map(([name, text]) => `  list ${name}  ${text}  # why`),
    word.map(text => `# ${text} 'not closed`),
    fc.constant(''),
    fc.tuple(word, word).map(([type, name]) => `config ${type} '${name}'`),
  )
  const file = fc
    .array(line, { maxLength: 20 })
    .map(lines => ["config a 'first'", ...lines].join('\n'))

  test('that is only read is written as it was, byte for byte', () => {
    fc.assert(fc.property(file, text => void expect(new UciFile(text).toString()).toBe(text)))
  })

  test('has what was set, and everything else as before', () => {
    fc.assert(
      fc.property(file, word, value, (text, option, wanted) => {
        const one = new UciFile(text)
        one.change({ is: 'set', section: 'first', option, value: wanted })
        const again = new UciFile(one.toString())
        expect(again.get('first', option)).toBe(wanted)
        const rest = (all: string) => all.split('\n').filter(each => /^\s*(#|config)/.test(each))
        if (!wanted.includes('\n') && !text.includes(option))
          expect(rest(one.toString())).toEqual(rest(text))
        one.change({ is: 'delete', section: 'first', option })
        expect(new UciFile(one.toString()).get('first', option)).toBeNull()
      }),
    )
  })

  test('made of noise gives an error of ours or comes back the same', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('config ', 'option ', "'", '"', '\\', '#', '\n', 'a', ' ')),
        parts => {
          const text = parts.join('')
          try {
            expect(new UciFile(text).toString()).toBe(text)
          } catch (error) {
            expect(error).toBeInstanceOf(BoxError)
          }
        },
      ),
    )
  })
})
