/** A root of a system with a shell (busybox) and nothing else, and commands that run in it. */

import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { folder } from './program.ts'

const APPLETS = ['sh', 'uname', 'tty', 'sleep', 'cat', 'ls', 'mkdir', 'chmod', 'rm', 'grep']

const ENTER = `set -eu
mount -t proc proc "$1/proc"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$1/dev/pts"
ln -sf pts/ptmx "$1/dev/ptmx"
for device in null zero random urandom tty; do
  : > "$1/dev/$device"
  mount --bind "/dev/$device" "$1/dev/$device"
done
exec chroot "$1" /bin/sh -c "$2"
`

export function emptyRoot(): string {
  const root = folder('root')
  for (const name of ['bin', 'proc', 'tmp', 'dev', 'dev/pts'])
    mkdirSync(join(root, name), { recursive: true })
  chmodSync(join(root, 'tmp'), 0o1777)
  copyFileSync('/bin/busybox', join(root, 'bin', 'busybox'))
  for (const applet of APPLETS) symlinkSync('busybox', join(root, 'bin', applet))
  writeFileSync(join(root, 'enter.sh'), ENTER)
  return root
}

/** Puts an executable there, with the libraries that its loader asks for. */
export function addExecutable(root: string, executable: string, name: string): void {
  copyFileSync(executable, join(root, name))
  const listed = execFileSync('ldd', [executable], { encoding: 'utf8' })
  const libraries = [...listed.matchAll(/(\/\S+\.so\S*)/g)].map(([, path]) => path!)
  // The terminal library wants one more, where glibc still has it apart.
  const libc = libraries.find(path => basename(path) === 'libc.so.6')!
  for (const path of [...libraries, join(dirname(libc), 'libutil.so.1')]) {
    if (!existsSync(path)) continue
    const target = join(root, path)
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(path, target)
  }
}

/** A command line for the shell of that root, with mounts and processes of its own that end with it. */
export const inRoot = (root: string, command: string): string[] => [
  ...['unshare', '--mount', '--pid', '--fork', '--kill-child'],
  ...['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/'],
  ...['/bin/sh', join(root, 'enter.sh'), root],
  `export PATH=/bin:/usr/bin; ${command}`,
]
