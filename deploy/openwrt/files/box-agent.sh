#!/bin/sh
# The agent, with the Node of OpenWrt.
exec /usr/bin/node --max-old-space-size=64 --max-semi-space-size=1 /usr/lib/secushare-box/box.cjs box-agent "$@"
