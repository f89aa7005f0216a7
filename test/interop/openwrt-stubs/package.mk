# Stands for OpenWrt's package.mk: runs the recipe of the package into DESTINATION.
all: install

define BuildPackage
install:
	$(call Package/$(1)/install,$(DESTINATION))
endef
