#!/bin/sh
# Installs LLVM 19's opt, llc and ld.lld where they are missing.
set -eu

have() {
	for tool in opt llc; do
		command -v "$tool-19" >/dev/null 2>&1 || { "$tool" --version 2>/dev/null | grep -q 'LLVM version 19\.'; } || return 1
	done
	command -v ld.lld-19 >/dev/null 2>&1 || { ld.lld --version 2>/dev/null | grep -q 'LLD 19\.'; }
}

explain() {
	cat >&2 <<TXT
mdlc needs LLVM 19 (opt, llc, ld.lld), which is not here, and this script cannot install it: $1.
  Debian 12 or 13, Ubuntu 24.04 or later:  apt-get install llvm-19 lld-19
  Fedora:        dnf install llvm19 lld19
  Arch Linux:    pacman -S llvm19 lld19
  macOS:         brew install llvm@19 lld@19, then put their bin folders on PATH
  other Debian or Ubuntu releases: the LLVM project keeps its own package archive for them, with llvm-19 and lld-19
Then run the command again; \`mdlc doctor\` says what it finds.
TXT
	exit 1
}

have && exit 0
command -v apt-get >/dev/null 2>&1 || explain "there is no apt-get"
SUDO=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || explain "it needs root and there is no sudo"
	SUDO=sudo
fi
echo "installing llvm-19 and lld-19 (about 205 MB) ..." >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { $SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends llvm-19 lld-19 >"$log" 2>&1; }
if ! install; then
	$SUDO apt-get update -qq >"$log" 2>&1 || { cat "$log" >&2; explain "apt-get update failed"; }
	install || { tail -n 5 "$log" >&2; explain "this release has no packages llvm-19 and lld-19"; }
fi
have || explain "the packages are installed but opt-19, llc-19 or ld.lld-19 is not on PATH"
