/** The package for Debian and what descends from it: the executable, its services, nothing that starts by itself. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { constants, gzipSync } from 'node:zlib'
import { options, sysusers, tmpfiles, unit } from '../agent/systemd-unit.ts'
import { VERSION } from '../src/base/version.ts'
import type { Package } from './package-formats.ts'
import { type Machine, NODE_VERSION } from './runtime.ts'
import type { Entry } from './tar.ts'

const NAME = 'secushare-box'
const REVISION = 1
const ARCHITECTURES: Readonly<Record<Machine, string>> = {
  'linux-x64': 'amd64',
  'linux-arm64': 'arm64',
}
const PROGRAM = ['/usr/bin/box-agent']

/** What of the state goes with a purge, and only with it. */
const POST_REMOVE = `#!/bin/sh
set -e
if [ "$1" = purge ]; then
	for name in ${NAME} ${NAME}-hub ${NAME}-mesh; do
		rm -rf "/var/lib/$name" "/var/cache/$name"
	done
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
`

/** Starts nothing: whether this machine is a device is its owner's to say. */
const POST_INSTALL = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
	if command -v systemd-sysusers >/dev/null; then
		systemd-sysusers ${NAME}.conf
	fi
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload || true
		for service in ${NAME} ${NAME}-hub; do
			# Not restarted: whoever upgrades may sit in a session of it.
			if systemctl --quiet is-active "$service"; then
				echo "the old version runs until: systemctl restart $service"
			fi
		done
	fi
	if [ -z "$2" ]; then
		echo "nothing is started; for this machine to be a device: systemctl enable --now ${NAME}"
	fi
fi
`

const PRE_REMOVE = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl --no-reload disable --now ${NAME}.service ${NAME}-mesh.service ${NAME}-hub.service || true
fi
`

/** Node is one file that brings its libraries; there is no other build of it for all of Debian's releases. */
const OVERRIDES = `# The executable is the vendor's build of Node, which holds its libraries.
${NAME}: embedded-library *
# Made by a tool that adds a section to it.
${NAME}: elf-error *
`

const encoder = new TextEncoder()
const text = (path: string, content: string): Entry => ({
  path,
  is: 'file',
  content: encoder.encode(content),
})
const compressed = (path: string, content: string): Entry => ({
  path: `${path}.gz`,
  is: 'file',
  content: new Uint8Array(
    gzipSync(encoder.encode(content), { level: constants.Z_BEST_COMPRESSION }),
  ),
})

export interface DebianSources {
  readonly root: string
  readonly executable: string
  readonly nodeLicence: string
}

export function debianPackage(machine: Machine, sources: DebianSources): Package {
  const documents = `usr/share/doc/${NAME}`
  const read = (path: string) => readFileSync(join(sources.root, path), 'utf8')
  const changes = read('CHANGELOG.md')
  return {
    name: NAME,
    version: VERSION,
    revision: REVISION,
    architecture: ARCHITECTURES[machine],
    depends: ['libc6 (>= 2.28)', 'libgcc-s1 | libgcc1', 'libstdc++6 (>= 8)'],
    summary: 'remote administration behind NAT, with no cloud and no account',
    description: [
      'An agent that makes this machine reachable for its owners, wherever it',
      'is, over GNUnet; and the program with which they do it. Names instead of',
      'addresses, SSH inside, nobody in between.',
      '.',
      'Nothing is started by the installation.',
    ],
    settings: [`etc/default/${NAME}`],
    files: [
      {
        path: `usr/lib/${NAME}/box`,
        is: 'file',
        mode: 0o755,
        content: readFileSync(sources.executable),
      },
      { path: 'usr/bin/box', is: 'link', to: `../lib/${NAME}/box` },
      { path: 'usr/bin/box-agent', is: 'link', to: `../lib/${NAME}/box` },
      text(`etc/default/${NAME}`, options()),
      text(`lib/systemd/system/${NAME}.service`, unit('device', PROGRAM)),
      text(`lib/systemd/system/${NAME}-mesh.service`, unit('mesh', PROGRAM)),
      text(`lib/systemd/system/${NAME}-hub.service`, unit('hub', PROGRAM)),
      text(`usr/lib/sysusers.d/${NAME}.conf`, sysusers()),
      text(`usr/lib/tmpfiles.d/${NAME}.conf`, tmpfiles()),
      text(`usr/share/lintian/overrides/${NAME}`, OVERRIDES),
      text(`${documents}/copyright`, COPYRIGHT),
      compressed(`${documents}/LICENSE.node`, readFileSync(sources.nodeLicence, 'utf8')),
      ...['box.1', 'box-agent.1'].map(name =>
        compressed(`usr/share/man/man1/${name}`, read(`docs/man/${name}`)),
      ),
      compressed(`${documents}/changelog`, changes),
      compressed(`${documents}/changelog.Debian`, debianChanges()),
    ],
    scripts: { postinst: POST_INSTALL, prerm: PRE_REMOVE, postrm: POST_REMOVE },
  }
}

const debianChanges = (): string => `${NAME} (${VERSION}-${REVISION}) unstable; urgency=medium

  * See changelog.gz.

 -- secushare BOX <box@secushare.org>  Thu, 01 Jan 2026 00:00:00 +0000
`

const COPYRIGHT = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: secushare BOX

Files: *
Copyright: secushare BOX
License: AGPL-3.0-or-later
 This is free software under the GNU Affero General Public License, version 3
 or later: https://www.gnu.org/licenses/agpl-3.0.html

Files: usr/lib/${NAME}/box
Copyright: Node.js contributors, and others as the licence says
License: Node
 The executable holds Node.js ${NODE_VERSION}. Its licence, and those of what it
 holds in turn, are in LICENSE.node.gz beside this file.
`
