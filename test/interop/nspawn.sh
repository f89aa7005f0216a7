#!/bin/sh
# nspawn.sh DEBIAN-ROOT DEB: both services under a real systemd, in a container made of a copy of the root (debootstrap
# with --include=systemd). By hand: containers are not everywhere where CI is. Ends with 0 and "all is well".
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -a "$1" "$work/root"
cp "$2" "$work/root/tmp/box.deb"
chroot "$work/root" dpkg -i /tmp/box.deb

# A watchdog that need not be waited for.
for unit in secushare-box secushare-box-hub; do
	mkdir -p "$work/root/etc/systemd/system/$unit.service.d"
	printf '[Service]\nWatchdogSec=6\nRestartSec=1\n' >"$work/root/etc/systemd/system/$unit.service.d/quick.conf"
done
cat >"$work/root/check.sh" <<'CHECK'
#!/bin/sh
set -eu
for unit in secushare-box secushare-box-hub; do
	systemctl start "$unit"
	systemctl is-active "$unit"
	systemctl show -p StatusText -p User -p NRestarts "$unit"
done
box-agent status
box-agent status --state /var/lib/secushare-box-hub
stat -c '%U %a %n' /var/lib/secushare-box /var/lib/secushare-box-hub
sleep 8 # longer than the watchdog: it is fed
for unit in secushare-box secushare-box-hub; do
	[ "$(systemctl show -P NRestarts "$unit")" = 0 ]
	kill -STOP "$(systemctl show -P MainPID "$unit")"
done
sleep 15
for unit in secushare-box secushare-box-hub; do
	[ "$(systemctl show -P NRestarts "$unit")" -ge 1 ]
	systemctl is-active "$unit"
	systemctl stop "$unit"
	[ "$(systemctl show -P Result "$unit")" = success ]
done
echo all is well
CHECK
cat >"$work/root/etc/systemd/system/check.service" <<'UNIT'
[Unit]
After=basic.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
StandardOutput=file:/check.log
StandardError=file:/check.err
ExecStart=/bin/sh -x /check.sh
[Install]
WantedBy=multi-user.target
UNIT
chroot "$work/root" systemctl enable check.service
timeout 240 systemd-nspawn --quiet --register=no --keep-unit --private-network -D "$work/root" --boot || true
cat "$work/root/check.log"
grep -qx 'all is well' "$work/root/check.log" || { tail -5 "$work/root/check.err"; exit 1; }
