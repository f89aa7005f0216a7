#!/bin/sh
# The feed's check of a built package: both programs start, and are of this version.
set -eu

case "$1" in
secushare-box*)
	box --version | grep -F "$2"
	box-agent --version | grep -F "$2"
	;;
esac
