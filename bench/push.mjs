/**
 * A small file to a fleet: how long until every device has it, and what that costs where it is sent from.
 *
 *     node push.mjs [--rounds 3] [box-50 box-200 ansible-50]
 *
 * `box push` to so many agents (targets/agents.mjs) through hubs of fifty each: signed, applied as a transaction, confirmed
 * over a second connection; the first time, when nothing is known of the devices but their keys, and again with another content.
 * Beside it `ansible -m copy` to so many addresses of one OpenSSH server on the loopback interface (needs root,
 * `ansible-core`, `openssh-server`), the second time over the connections that it keeps. Ten at a time, both.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder } from './lib/children.mjs'
import { run } from './lib/family.mjs'
import { boxCommand, startFleet } from './lib/fleet.mjs'
import { bounded } from './lib/measure.mjs'
import { makeFor, startSshdFleet } from './lib/sshd-fleet.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'

const SUBJECTS = ['box-50', 'ansible-50', 'box-200']
const AT_ONCE = 10
/** Less than a round has (lib/table.mjs), so that whatever was started is ended here. */
const STEP_MS = 280_000
const AGAIN_WITHIN_S = 100

async function measureBox(count) {
  const top = folder('devices')
  const { state, devices } = await startFleet(count, top)
  const bundle = folder('bundle')
  const files = 'roots: [/etc/bench]\nfiles: { /etc/bench/motd: { from: motd } }\n'
  writeFileSync(join(bundle, 'bundle.yaml'), `bundle: 1\nname: bench\n${files}`)
  const push = async content => {
    writeFileSync(join(bundle, 'motd'), content)
    const figures = await run(boxCommand(state, 'push', '@all', bundle, '--batch', String(AT_ONCE)))
    for (const { name } of devices) mustHave(join(top, name, 'etc', 'motd'), content)
    return figures
  }
  return twice(push, count)
}

async function measureAnsible(count) {
  const home = folder('ansible')
  const { names, ansible, env } = await startSshdFleet(home, count)
  for (const name of names) makeFor(home, name)
  const copy = async content => {
    writeFileSync(join(home, 'motd'), content)
    const what = `src=${home}/motd dest=${home}/{{inventory_hostname}}/motd`
    const figures = await run([...ansible, '-f', String(AT_ONCE), '-m', 'copy', '-a', what], env, join(home, 'cp'))
    for (const name of names) mustHave(join(home, name, 'motd'), content)
    return figures
  }
  return twice(copy, count)
}

/** The first time, and again where the machine is not so busy that there is no time for it. */
async function twice(bring, count) {
  const first = await bring('first\n')
  const figures = { firstSeconds: first.seconds, firstEachMs: (1000 * first.seconds) / count, mib: first.mib }
  if (first.seconds > AGAIN_WITHIN_S) return figures
  const second = await bring('second\n')
  return {
    ...figures,
    ...{ secondSeconds: second.seconds, secondEachMs: (1000 * second.seconds) / count },
    mib: Math.max(first.mib, second.mib),
  }
}

function mustHave(path, content) {
  if (readFileSync(path, 'utf8') !== content) throw new Error(`${path} was not brought`)
}

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 3)
if (words[0] === '--one') {
  const [what, count] = words[1].split('-')
  const measure = what === 'ansible' ? measureAnsible : measureBox
  console.log(JSON.stringify(await bounded(measure(Number(count)), STEP_MS, words[1])))
  process.exit(0)
}
printTable(
  'a file to a fleet',
  runRounds(import.meta.filename, words.length > 0 ? words : SUBJECTS, rounds),
  [
    ['firstSeconds', 'first time s', 1],
    ['firstEachMs', 'ms a device', 0],
    ['secondSeconds', 'again s', 1],
    ['secondEachMs', 'ms a device', 0],
    ['mib', 'memory MiB', 0],
  ],
  { 'box-50': ['ansible-50'] },
)
