# shellcheck shell=bash
# mandoc, which checks the manual pages: the machine's own, else the distribution's package, unpacked
# like a server's.

# get_mandoc: sets TOOLS_MANDOC to a mandoc.
get_mandoc() {
  TOOLS_MANDOC=$(command -v mandoc || true)
  if [ -z "$TOOLS_MANDOC" ]; then
    check_distribution
    fetch_tree mandoc
    TOOLS_MANDOC=$(tree mandoc)/usr/bin/mandoc
  fi
  export TOOLS_MANDOC
}

fetch_mandoc() { unpack_packages "$1" "$2" libc6 mandoc; }
