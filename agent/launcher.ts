/**
 * What starts the agent where versions lie beside each other: a shell script, so that a new executable that
 * does not even start cannot stand in the way of going back.
 *
 * A version on trial has a file `trial`: its name, the name of the one before, and how often it was started.
 * Started too often without having proven itself (agent/trial.ts removes the file), it gives way. Every
 * change is one rename; whatever is cut off in between, the next start sees one state or the other.
 */

/** How often a version on trial is started. */
export const TRIES_MAX = 3

export const launcher = (): string => `#!/bin/sh
# Starts the agent; made by box-agent install. A version on trial that does not prove itself gives way.
set -eu
cd "$(dirname "$0")"

# The hub, which may change nothing here, starts what the device's service has settled on.
if [ -w . ] && [ -f trial ] && read -r version before tries <trial; then
	if [ "$(readlink current)" != "$version" ]; then
		rm -f trial # The change was cut off before it was made.
	elif [ "$tries" -ge ${TRIES_MAX} ] && [ -x "$before/box" ]; then
		ln -s "$before" ".current-$$"
		mv -fT ".current-$$" current
		echo "$version" >failed
		rm -f trial
	else
		echo "$version $before $((tries + 1))" >.trial
		mv -f .trial trial
	fi
fi
exec current/box box-agent "$@"
`
