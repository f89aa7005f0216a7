#!/bin/sh
# nspawn.sh DEBIAN-ROOT DEB: all services under a real systemd, in a container made of a copy of the root (debootstrap
# with --include=systemd). By hand: containers are not everywhere where CI is. Ends with 0 and "all is well".
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -a "$1" "$work/root"
cp "$2" "$work/root/tmp/box.deb"
chroot "$work/root" dpkg -i /tmp/box.deb

# A watchdog that need not be waited for.
for unit in secushare-box secushare-box-mesh secushare-box-hub; do
	mkdir -p "$work/root/etc/systemd/system/$unit.service.d"
	printf '[Service]\nWatchdogSec=6\nRestartSec=1\n' >"$work/root/etc/systemd/system/$unit.service.d/quick.conf"
done
cat >"$work/root/check.sh" <<'CHECK'
#!/bin/sh
set -eu
# As a device that was one service left it.
install -d -m 0700 /var/lib/secushare-box
head -c 32 /dev/urandom >/var/lib/secushare-box/peer-seed
for unit in secushare-box secushare-box-hub; do
	systemctl start "$unit"
	systemctl is-active "$unit"
	systemctl show -p StatusText -p User -p NRestarts "$unit"
done
box-agent status
box-agent status --state /var/lib/secushare-box-hub
stat -c '%U %a %n' /var/lib/secushare-box /var/lib/secushare-box-mesh /var/lib/secushare-box-hub /run/secushare-box
# The peer of the device is the one that its state had when it was one service.
cmp /var/lib/secushare-box/peer-seed /var/lib/secushare-box-mesh/peer-seed
box-agent status | grep 'engine .*lent at /run/secushare-box/mesh.sock'
sleep 8 # longer than the watchdog: it is fed
# The mesh side alone: the device stays.
kill -9 "$(systemctl show -P MainPID secushare-box-mesh)"
sleep 5
[ "$(systemctl show -P NRestarts secushare-box-mesh)" = 1 ]
[ "$(systemctl show -P NRestarts secushare-box)" = 0 ]
box-agent status | (! grep trouble)
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
systemctl is-active secushare-box-mesh && exit 1
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
