/** Has the service manager of the machine, systemd or the procd of OpenWrt, make a service read its configuration again. */

import type { Line } from './command-row.ts'

/**
 * The command that makes a service read its configuration again, restarting it where it cannot do so otherwise;
 * it fails where the service has failed since. It asks for no password: whoever runs the agent may do so, or not.
 */
export const reloading = (service: string): Line => ({
  called: `reload ${service}`,
  line:
    'if command -v systemctl >/dev/null; then ' +
    `systemctl --no-ask-password reload-or-restart -- ${service} && ! systemctl --quiet is-failed -- ${service}; ` +
    `elif [ -x /etc/init.d/${service} ]; then /etc/init.d/${service} reload; ` +
    'else echo "there is no such service here"; exit 1; fi',
})
