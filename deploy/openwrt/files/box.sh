#!/bin/sh
# The controller, with the Node of OpenWrt.
exec /usr/bin/node --max-semi-space-size=1 /usr/lib/secushare-box/box.cjs box "$@"
