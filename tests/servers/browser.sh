# shellcheck shell=bash
# A headless browser for the page of `report`: Chromium, without a window system.

# Names of an installed browser, if there is no package.
readonly BROWSERS=(chromium-headless-shell chrome-headless-shell chromium chromium-browser google-chrome google-chrome-stable)

# get_browser: exports TEST_BROWSER, the program that is the browser, unless it is set. It is started
# by the test that needs it. Where none can be had, it says so and TEST_BROWSER is empty.
get_browser() {
  if [ -n "${TEST_BROWSER:-}" ]; then return; fi
  if packages_have_browser; then
    check_distribution
    fetch_tree browser
    TEST_BROWSER=$(tree browser)/browser
  else
    TEST_BROWSER=$(installed_browser) || note "left out: the tests that open the page of \`report\` in a browser
This distribution has no package of one. Install Chrome or Chromium, or set TEST_BROWSER to the program."
  fi
  export TEST_BROWSER
}

# Ubuntu's package `chromium` only installs a snap.
packages_have_browser() {
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null &&
    [ "$(. /etc/os-release && echo "$ID")" = debian ]
}

installed_browser() {
  local name
  for name in "${BROWSERS[@]}"; do
    if command -v "$name"; then return; fi
  done
  return 1
}

fetch_browser() {
  # The libraries of window systems and of graphics drivers are needed to link, but their drivers are
  # not. Without a font, a page has no text.
  unpack_packages "$1" "$2" 'libc6|libgl1-mesa-dri' chromium-headless-shell fonts-liberation
  browser_fonts >"$2/fonts.conf"
  browser_script >"$2/browser"
  chmod 755 "$2/browser"
  chmod a+r "$2/fonts.conf"
}

browser_fonts() {
  cat <<'XML'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <alias binding="same"><family>monospace</family><prefer><family>Liberation Mono</family></prefer></alias>
  <match target="pattern">
    <edit name="family" mode="append_last" binding="weak"><string>Liberation Sans</string></edit>
  </match>
</fontconfig>
XML
}

# The program that the tests start: the browser with the libraries and fonts of its tree.
browser_script() {
  cat <<'SH'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")
for folder in "$root"/lib/*-linux-gnu* "$root"/usr/lib/*-linux-gnu* "$root"/usr/lib/*-linux-gnu*/pulseaudio; do
  path=$path:$folder
done
export LD_LIBRARY_PATH="${path#:}" FONTCONFIG_FILE="$root/fonts.conf"
exec "$root/usr/lib/chromium/chromium-headless-shell" "$@"
SH
}
