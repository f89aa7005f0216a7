/** The doors of alerts, on the device and at a controller: see doors.ts. */

import { readDeviceRules } from '../../agent/alert-rules.ts'
import { parseProbeOutput } from '../../agent/probe-output.ts'
import { parseAcks } from '../../controller/alerts/ack-book.ts'
import { formatBook, parseAlertBook } from '../../controller/alerts/alert-book.ts'
import { parseAlertConfig } from '../../controller/alerts/alert-config.ts'
import { parseCondition } from '../../src/box/alert/condition.ts'
import { factsOf } from '../../src/box/alert/facts.ts'
import { judge } from '../../src/box/alert/judgement.ts'
import {
  ALERT_VARIABLES,
  alertVariables,
  readAlerts,
  readRecords,
} from '../../src/box/alert/report.ts'
import { readRules } from '../../src/box/alert/rule.ts'
import { utf8 } from '../vectors.ts'
import { type ByteDoor, now, type TextDoor } from './doors.ts'

const record = {
  rule: 'disk',
  when: 'disk_used_ratio > 90 % for 5m',
  value: '93 % (/)',
  since: now,
}
const records = [
  { ...record, until: null },
  { ...record, until: now + 60_000 },
]
const said = alertVariables({ records, rules: ['disk', 'hot'], fault: null })
const conditions = [
  'disk_used_ratio > 90 % and not (disk_total["/var"] <= 5 GiB or uptime < 10 min)',
  '_probe_ups_* / 2 - 1 >= -load * 3 and missing(probe_ups_charge)',
  'configuration_state != "put_back"',
]
const facts = factsOf(
  new Map(
    Object.entries({
      _amount_load_hundredths: '600',
      _dict_disks_total: '{/} 9',
      _probe_ups_a: '1',
    }).map(([name, text]) => [name, new TextEncoder().encode(text)]),
  ),
  now,
)

const own = { origin: 'device', record: records[0]! } as const
const event = { id: 'A', is: 'fires', device: 'hut', zone: '000G', ...own } as const
const book = formatBook({
  devices: new Map([['000G', { records, standing: [{ ...own, told: true }], over: ['disk 1'] }]]),
  deliveries: [{ target: 'a', event, at: now, notBefore: now, tries: 0, batch: null }],
})
const config = {
  rules: [{ name: 'a', when: 'silent > 10 min', devices: '@lab' }],
  deliver: [{ room: 'ops' }, { command: ['/bin/page', '-q'], rules: ['a'] }],
}

const json = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const PROBE_DOOR: ByteDoor = {
  name: 'output of a probe',
  of: ['parseProbeOutput'],
  right: ['{"charge":42.5,"state":"on line","gone":null}', '\n=_queue_length\t7\n|\n', ''].map(
    utf8,
  ),
  read: parseProbeOutput,
}

const STATUS_DOORS = Object.values(ALERT_VARIABLES).map(name => ({
  name: `alerts of a status, ${name}`,
  of: ['readAlerts'],
  right: [...said.values()],
  read: (bytes: Uint8Array) => {
    const report = readAlerts(new Map([...said, [name, bytes]]))
    if (report.records.length > 64) throw new TypeError('too many')
    factsOf(new Map([[name, bytes]]), now)
  },
}))

export const ALERT_BYTE_DOORS: readonly ByteDoor[] = [PROBE_DOOR, ...STATUS_DOORS]

export const ALERT_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'condition of an alert',
    of: ['parseCondition'],
    right: conditions,
    also: ['((((', 'not not not', '1e999 > 2', 'a_*["x"] > 1'],
    read: text => judge(parseCondition(text), facts),
  },
  {
    name: 'rules of alerts',
    of: ['readRules'],
    right: conditions.map(when => JSON.stringify([{ name: 'a', when, until: when, for: '5m' }])),
    also: ['[{"name":"a","when":{}}]', '[null]'],
    read: text => readRules(json(text)),
  },
  {
    name: 'rules of alerts on a device',
    of: ['readDeviceRules'],
    right: ['[{"name":"a","when":"load > 1","room":"ops"}]'],
    read: text => readDeviceRules(json(text)),
  },
  {
    name: 'alerts.json of a controller',
    of: ['parseAlertConfig'],
    right: [JSON.stringify(config), '{}'],
    read: parseAlertConfig,
  },
  {
    name: 'alerts of a fleet that are kept',
    of: ['parseAlertBook'],
    right: [book],
    read: text => formatBook(parseAlertBook(text)),
  },
  {
    name: 'alerts that somebody knows of',
    of: ['parseAcks'],
    right: [`{"version":1,"acks":[{"zone":"0","rule":"a","sinces":[1],"until":null,"at":1}]}`],
    read: parseAcks,
  },
  {
    name: 'alerts that are kept',
    of: ['readRecords'],
    right: [JSON.stringify(records)],
    read: text => readRecords(json(text)),
  },
]
