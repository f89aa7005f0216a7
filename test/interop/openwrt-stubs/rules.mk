# Stands for OpenWrt's rules.mk: what deploy/openwrt/Makefile uses of it.
INSTALL_DIR := install -d -m 0755
INSTALL_BIN := install -m 0755
INSTALL_DATA := install -m 0644
INSTALL_CONF := install -m 0600
