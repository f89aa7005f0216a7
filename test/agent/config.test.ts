import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfig } from '../../agent/config.ts'
import { BoxError } from '../../src/base/errors.ts'
import { DEFAULT_ROOTS } from '../../src/box/bundle/file-path.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'

const HUB = `gnunet://hello/${encodeBase32(new Uint8Array(32))}+0+tcp+tcp.0.192.0.2.1:2086`
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'box-config-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

const write = (text: string) => writeFileSync(join(directory, 'agent.json'), text)

function complaint(run: () => unknown): BoxError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(BoxError)
    return error as BoxError
  }
  throw new Error('nothing was wrong')
}

describe('the configuration', () => {
  test('without a file is that of a device that listens nowhere', () => {
    expect(readConfig(directory, {})).toMatchObject({
      hub: false,
      listen: [],
      hubs: [],
      shell: null,
      roots: DEFAULT_ROOTS,
    })
  })

  test('of a hub listens on the port of GNUnet', () => {
    expect(readConfig(directory, { hub: true }).listen).toEqual([{ host: '::', port: 2086 }])
  })

  test('has what the file says, unless the command line says otherwise', () => {
    write(
      JSON.stringify({
        name: 'attic',
        hubs: [HUB],
        listen: ['[2001:db8::1]:2086'],
        shell: '/bin/ash',
        metrics: '[::1]:9464',
      }),
    )
    expect(readConfig(directory, {})).toEqual({
      name: 'attic',
      mesh: 'embedded',
      meshSocket: null,
      gnunetConf: null,
      hub: false,
      listen: [{ host: '2001:db8::1', port: 2086 }],
      advertise: [],
      hubs: [HUB],
      shell: '/bin/ash',
      roots: DEFAULT_ROOTS,
      relay: false,
      relays: [],
      relayFilesMegabytes: 64,
      keepShellsMinutes: 30,
      record: [],
      recordMegabytes: 64,
      recordDays: 90,
      recordInput: false,
      metrics: { host: '::1', port: 9464 },
      alerts: [],
      alertsFile: '/etc/secushare-box/alerts.json',
      probes: null,
      services: [],
      servicesFile: '/etc/secushare-box/services.json',
    })
    expect(readConfig(directory, { name: 'cellar', listen: ['192.0.2.1:1'] })).toMatchObject({
      name: 'cellar',
      listen: [{ host: '192.0.2.1', port: 1 }],
      hubs: [HUB],
    })
  })

  test.for([
    ['{"nmae": "x"}', 'nmae is no setting'],
    ['{"name": 5}', 'name is no text'],
    ['{"name": ""}', 'name is empty'],
    ['{"name": "a b"}', 'name is too long, or has blanks'],
    ['{"mesh": "tor"}', 'mesh is none of embedded, gnunet, auto'],
    ['{"meshSocket": "mesh.sock"}', 'meshSocket is no path from the root'],
    ['{"gnunetConf": "gnunet.conf"}', 'gnunetConf is no path from the root'],
    ['{"hub": "yes"}', 'hub is neither true nor false'],
    ['{"listen": "x"}', 'listen is no list'],
    ['{"listen": ["192.0.2.1:1", "192.0.2.1"]}', 'listen[1] is no address'],
    ['{"listen": ["192.0.2.1:70000"]}', 'listen[0] is no address'],
    ['{"listen": ["2001:db8::1:1"]}', 'listen[0] is no address'],
    ['{"listen": ["[192.0.2.1]:1"]}', 'listen[0] is no address'],
    ['{"advertise": [null]}', 'advertise[0] is no text'],
    ['{"hubs": ["http://x"]}', 'hubs[0] is no HELLO URL'],
    [JSON.stringify({ hubs: [HUB.replace(/[+].*/, '')] }), 'hubs[0] names no address'],
    [JSON.stringify({ hubs: Array(9).fill(HUB) }), 'hubs has more than 8 entries'],
    ['{"relay": 1}', 'relay is neither true nor false'],
    ['{"relays": ["kitchen"]}', 'relays[0] is no zone key'],
    ['{"metrics": "9464"}', 'metrics is no address'],
    ['{"metrics": "192.0.2.1:9464"}', 'metrics can be read by other machines'],
    ['{"alerts": {}}', 'alerts is not right: There is no list of rules'],
    [
      '{"alerts": [{"name": "a", "when": "load >"}]}',
      'alerts is not right: "when" of the rule "a": Column 7 of the condition',
    ],
    ['{"alerts": [{"name": "a", "when": "load > 1", "room": 5}]}', '"room" of the rule "a"'],
    ['{"probes": "probes"}', 'probes is no path from the root'],
    ['{"services": ["ssh", "-H"]}', 'services is not right: Entry 1 is no name of a service'],
    ['{"alertsFile": "alerts.json"}', 'alertsFile is no path from the root'],
    ['{"shell": "bash"}', 'shell is no path from the root'],
    ['{"keepShellsMinutes": "30"}', 'keepShellsMinutes is no number of minutes from 0 to 10080'],
    ['{"keepShellsMinutes": 0.5}', 'keepShellsMinutes is no number of minutes'],
    ['{"relayFilesMegabytes": "64"}', 'relayFilesMegabytes is no number of megabytes from 0'],
    ['{"relayFilesMegabytes": -1}', 'relayFilesMegabytes is no number of megabytes'],
    ['{"relayFilesMegabytes": 0.5}', 'relayFilesMegabytes is no number of megabytes'],
    ['{"keepShellsMinutes": -1}', 'keepShellsMinutes is no number of minutes'],
    ['{', 'is no JSON'],
    ['[]', 'holds no'],
    ['null', 'holds no'],
  ])('%s is refused for what is wrong, and where', ([text, why]) => {
    write(text!)
    const { code, message } = complaint(() => readConfig(directory, {}))
    expect(code).toBe('CONFIG_INVALID')
    expect(message).toContain(join(directory, 'agent.json'))
    expect(message).toContain(why)
  })

  test('of a device names its relays, and a relay that it is one', () => {
    const zone = zoneToText(ZoneSecret.generate('EDKEY', systemRandom).zone)
    write(JSON.stringify({ relays: [zone], relay: true }))
    expect(readConfig(directory, {})).toMatchObject({ relays: [zoneFromText(zone)], relay: true })
  })

  test('may keep no shells, and those it keeps for a week at most', () => {
    for (const keepShellsMinutes of [0, 10_080]) {
      write(JSON.stringify({ keepShellsMinutes }))
      expect(readConfig(directory, {})).toMatchObject({ keepShellsMinutes })
    }
    write('{"keepShellsMinutes": 10081}')
    expect(complaint(() => readConfig(directory, {})).code).toBe('CONFIG_INVALID')
  })

  test('says whose sessions are recorded, with how much room and for how long', () => {
    expect(readConfig(directory, {})).toMatchObject({
      ...{ record: [], recordMegabytes: 64, recordDays: 90, recordInput: false },
    })
    const { zone } = ZoneSecret.generate('EDKEY', systemRandom)
    write(
      `{"record":["${zoneToText(zone)}"],"recordMegabytes":8,"recordDays":7,"recordInput":true}`,
    )
    expect(readConfig(directory, {})).toMatchObject({
      ...{ record: [zone], recordMegabytes: 8, recordDays: 7, recordInput: true },
    })
    write('{"record":"all"}')
    expect(readConfig(directory, {}).record).toBe('all')
    for (const wrong of [
      ...['{"record":"some"}', '{"record":["ada"]}', '{"record":true}', '{"recordMegabytes":0}'],
      ...['{"recordDays":1.5}', '{"recordInput":"yes"}'],
    ]) {
      write(wrong)
      expect(complaint(() => readConfig(directory, {})).code, wrong).toBe('CONFIG_INVALID')
    }
  })

  test('leaves the peer to the process that lends it, and so listening', () => {
    const choice = { meshSocket: '/run/box/mesh.sock' }
    expect(readConfig(directory, choice)).toMatchObject({ ...choice, listen: [] })
    for (const more of [{ hub: true }, { listen: ['192.0.2.1:1'] }, { mesh: 'embedded' }])
      expect(complaint(() => readConfig(directory, { ...choice, ...more })).message).toContain(
        'it is `box-agent mesh` that has the peer',
      )
    const wrong = complaint(() => readConfig(directory, { meshSocket: 'x' }))
    expect(wrong.message).toContain('--mesh-socket is no path from the root')
  })

  test('takes the mesh that its service offers, unless told which peer to be', () => {
    const offered = { meshSocket: '/run/box/mesh.sock' }
    expect(readConfig(directory, {}, offered)).toMatchObject(offered)
    expect(readConfig(directory, { meshSocket: '/x' }, offered).meshSocket).toBe('/x')
    for (const own of [{ hub: true }, { listen: ['192.0.2.1:1'] }, { mesh: 'gnunet' }])
      expect(readConfig(directory, own, offered).meshSocket).toBeNull()
  })

  test('leaves listening to the daemon where there is one', () => {
    const choice = { mesh: 'gnunet', gnunetConf: '/etc/gnunet.conf' }
    expect(readConfig(directory, choice)).toMatchObject({ ...choice, listen: [] })
    for (const more of [{ hub: true }, { listen: ['192.0.2.1:1'] }, { advertise: ['192.0.2.1:1'] }])
      expect(complaint(() => readConfig(directory, { ...choice, ...more })).code).toBe(
        'CONFIG_INVALID',
      )
  })

  test('on the command line is refused as a mistake of whoever types', () => {
    const { code, message } = complaint(() => readConfig(directory, { hubs: ['x'] }))
    expect(code).toBe('INPUT_INVALID')
    expect(message).toContain('--hub-url[0] is no HELLO URL')
  })

  test('of any JSON is a configuration or CONFIG_INVALID', () => {
    fc.assert(
      fc.property(fc.json(), text => {
        write(text)
        try {
          readConfig(directory, {})
        } catch (error) {
          expect((error as BoxError).code).toBe('CONFIG_INVALID')
        }
      }),
      { numRuns: 200 },
    )
  })
})
