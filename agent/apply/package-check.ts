/** A command that ends with 0 where a package is installed, whichever of the usual programs looks after packages. */

export const packageCheck = (name: string): string =>
  `if command -v dpkg-query >/dev/null; then dpkg-query -W -f '\${Status}' ${name} | grep -q ' installed$'; ` +
  `elif command -v opkg >/dev/null; then opkg status ${name} | grep -q '^Status:.* installed'; ` +
  `elif command -v apk >/dev/null; then apk info -e ${name} >/dev/null; else rpm -q ${name} >/dev/null; fi`
