/** The init script of OpenWrt, under the shell of OpenWrt, with a stand-in for procd that writes down what it is told. */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { scratchDirectory } from '../sys/scratch.ts'

const FILES = join(import.meta.dirname, '..', '..', 'deploy', 'openwrt', 'files')
const SHIM = join(import.meta.dirname, 'procd-shim.sh')
const DEFAULT_CONFIG = readFileSync(join(FILES, 'secushare-box.config'), 'utf8')

// OpenWrt's is busybox ash; dash is what is there where busybox is not.
const shells = [
  ['/bin/busybox', 'ash'],
  ['/bin/dash', ''],
].filter(([program]) => existsSync(program!))
if (process.env.CI && shells.length < 2) throw new Error('busybox and dash must be there in CI')

function told(shell: readonly string[], config: string, action = 'start'): string[] {
  const uci = join(scratchDirectory(), 'config')
  writeFileSync(uci, config)
  const [program, ...words] = shell.filter(word => word !== '')
  const script = join(FILES, 'secushare-box.init')
  const run = spawnSync(program!, [...words, '-u', SHIM, script, uci, action], { encoding: 'utf8' })
  expect(run.stderr).toBe('')
  expect(run.status).toBe(0)
  return run.stdout.split('\n').filter(line => line !== '')
}

describe.for(shells)('under %s %s', shell => {
  test('nothing starts before the owner says so', () => {
    expect(told(shell, DEFAULT_CONFIG)).toEqual([])
  })

  test('an enabled agent starts, is kept alive, and is limited', () => {
    const lines = told(shell, DEFAULT_CONFIG.replace("enabled '0'", "enabled '1'"))
    expect(lines).toEqual([
      'open [main]',
      'set [command] [/usr/bin/box-agent] [run] [--state] [/etc/secushare-box] [--log] [warn]',
      'set [env] [HOME=/root] [CACHE_DIRECTORY=/var/run/secushare-box] [MALLOC_ARENA_MAX=1] [UV_THREADPOOL_SIZE=2] [BOX_PROBES=/etc/secushare-box/probes]',
      'set [respawn] [3600] [10] [0]',
      'set [limits] [core=0] [nofile=4096 4096]',
      'set [term_timeout] [15]',
      'set [stdout] [1]',
      'set [stderr] [1]',
      'close',
    ])
  })

  test('every option and every entry of a list becomes one word, whatever is in it', () => {
    const config = `
config agent 'main'
	option enabled 'yes'
	option hub '1'
	option name 'my router'
	option shell '/bin/ash'
	option state '/mnt/a b'
	list hub_url 'gnunet://hello/A+1'
	list hub_url 'gnunet://hello/B;reboot'
	list listen '192.0.2.1:2086'
	list advertise '[2001:db8::1]:2086'
config agent 'second'
	option enabled '0'
`
    const lines = told(shell, config)
    expect(lines[1]).toContain('[--state] [/mnt/a b]')
    expect(lines.filter(line => line.startsWith('append'))).toEqual([
      'append [command] [--hub]',
      'append [command] [--name] [my router]',
      'append [command] [--shell] [/bin/ash]',
      'append [command] [--hub-url] [gnunet://hello/A+1]',
      'append [command] [--hub-url] [gnunet://hello/B;reboot]',
      'append [command] [--listen] [192.0.2.1:2086]',
      'append [command] [--advertise] [[2001:db8::1]:2086]',
    ])
    expect(lines.filter(line => line.startsWith('open'))).toEqual(['open [main]'])
  })

  test('a changed setting and a network that comes up make it look again, with the same words', () => {
    expect(told(shell, DEFAULT_CONFIG, 'triggers')).toEqual([
      'reload_trigger [secushare-box]',
      'raw_trigger [interface.*.up] [2000] [/etc/init.d/secushare-box] [reload]',
    ])
    const enabled = DEFAULT_CONFIG.replace("enabled '0'", "enabled '1'")
    expect(told(shell, enabled, 'reload')).toEqual(told(shell, enabled))
  })
})

test.skipIf(spawnSync('which', ['shellcheck']).status !== 0 && !process.env.CI)(
  'shellcheck finds nothing in the scripts',
  () => {
    const names = ['secushare-box.init', 'secushare-box.defaults', 'box.sh', 'box-agent.sh']
    const paths = [...names.map(name => join(FILES, name)), join(FILES, '..', 'test.sh'), SHIM]
    // `local` is no POSIX, and is in every shell of OpenWrt.
    const run = spawnSync('shellcheck', ['-s', 'dash', '-e', 'SC3043', ...paths], {
      encoding: 'utf8',
    })
    expect(run.stdout).toBe('')
    expect(run.status).toBe(0)
  },
)
