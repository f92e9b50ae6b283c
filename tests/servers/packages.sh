# shellcheck shell=bash
# Server binaries out of the distribution's packages, unpacked into a private tree.
#
# Nothing is installed: apt resolves and downloads with a state of its own, so no
# root is needed and the machine's package database is only read. A tree holds
# the server and every library it loads, and is kept in `$CACHE` for the next run.

# Raised when the content of a tree changes, so that older caches are not used.
readonly TREE_VERSION=1

# Prints the folder the fetched trees are kept in. Servers started by root run
# as an unprivileged user, who cannot look into root's home.
cache_folder() {
  if [ -n "${XDG_CACHE_HOME:-}" ]; then
    echo "$XDG_CACHE_HOME/cloudtrail2sql-tests"
  elif [ "$(id -u)" = 0 ]; then
    echo /var/cache/cloudtrail2sql-tests
  else
    echo "$HOME/.cache/cloudtrail2sql-tests"
  fi
}
CACHE=$(cache_folder)

# Fails unless packages can be fetched on this machine.
check_distribution() {
  local tool
  for tool in apt-get dpkg dpkg-deb setpriv flock; do
    command -v "$tool" >/dev/null || fail "cannot get the servers: no \`$tool\` on this machine" \
      "without a Docker engine they come from Debian's or Ubuntu's packages; on other systems start Docker, or set TEST_POSTGRES_URL, TEST_MYSQL_URL and TEST_MARIADB_URL to admin URLs of your own servers, and TEST_S3_URL to that of a moto server"
  done
  # shellcheck source=/dev/null
  OS_ID=$(. /etc/os-release && echo "$ID")
  # shellcheck source=/dev/null
  OS_RELEASE=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  ARCH=$(dpkg --print-architecture)
}

# tree NAME: prints where the tree of the server NAME is, or will be.
tree() { echo "$CACHE/$OS_ID-$OS_RELEASE-$ARCH-$TREE_VERSION/$(tree_name "$1")"; }

# tree_name NAME: prints the name of a server's tree. The nodes of a cluster share one.
tree_name() {
  case $1 in
    group-*) echo mysql ;;
    galera-*) echo galera ;;
    citus-*) echo citus ;;
    *) echo "$1" ;;
  esac
}

# apt_private FOLDER: makes FOLDER an apt state with no package installed, so that
# apt names every library and not just those this machine happens to lack.
apt_private() {
  mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
  : >"$1/status"
  # Given with `-c`, it is read after the machine's own settings (proxies and
  # credentials stay) and can clear lists that `-o` could only append to.
  cat >"$1/apt.conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architectures { "$ARCH"; };
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
Acquire::IndexTargets::deb-src::Sources::DefaultEnabled "false";
Acquire::Retries "3";
Dir::State "$1";
Dir::State::lists "$1/lists";
Dir::State::status "$1/status";
Dir::Cache "$1/cache";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
CONF
  # One unreachable third-party source is no reason to stop: whether the packages
  # can be found is seen when they are asked for.
  apt-get -c "$1/apt.conf" -qq update 2>"$1/update.log" || true
}

# use_debian_unstable FOLDER: turns the apt state to Debian's unstable, from the
# mirror this machine uses.
use_debian_unstable() {
  local mirror keyring option=
  # shellcheck disable=SC2016 # apt fills these in
  mirror=$(apt-get -c "$1/apt.conf" indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v release="$OS_RELEASE" '$1 == "Debian" && $2 == release { print $3; exit }')
  [ -n "$mirror" ] || fail "cannot find this machine's Debian mirror in its apt sources" "$(cat "$1/update.log")"
  for keyring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    if [ -e "$keyring" ]; then option="[signed-by=$keyring] "; fi
  done
  echo "deb ${option}$mirror sid main" >"$1/sources.list"
  cat >>"$1/apt.conf" <<CONF
Dir::Etc::sourcelist "$1/sources.list";
Dir::Etc::sourceparts "/dev/null";
# The lists of unstable expire within days. A mirror that lags will do for a test
# server; the signature is checked all the same.
Acquire::Check-Valid-Until "false";
CONF
  apt-get -c "$1/apt.conf" -qq update 2>"$1/update.log" || fail "cannot read the package lists of Debian's unstable" "$(cat "$1/update.log")"
}

# The packages that hold what the tests run, besides all libraries. Left out are the tools of the
# maintainer scripts, which we do not run.
readonly WANTED_PACKAGES='lib.*
(mariadb|mysql)-(server|client)-core.*
chromium-(common|headless-shell)
fonts-liberation
galera-[0-9]+
krb5-multidev
mandoc
munge
openjdk-[0-9]+-jre-headless
parallel
pgbouncer
postgresql-(client-|server-dev-)?[0-9]+
python3\.[0-9]+(-minimal)?
python3-pip-whl
slurm.*'

# unpack_packages FOLDER DEST UNWANTED PACKAGE…: downloads the packages and the libraries
# they need, except those whose names match the pattern UNWANTED, and unpacks them into DEST.
unpack_packages() {
  local state=$1 dest=$2 unwanted=$3 names deb
  shift 3
  names=$(apt-get -c "$state/apt.conf" -s install "$@" 2>"$state/resolve.log" | awk '$1 == "Inst" { print $2 }') ||
    fail "cannot find the packages $* for $OS_ID $OS_RELEASE" "$(cat "$state/update.log" "$state/resolve.log")"
  # LLVM serves PostgreSQL's JIT compiler only, which we turn off.
  names=$(grep -Ex "$(paste -sd '|' <<<"$WANTED_PACKAGES")" <<<"$names" |
    grep -Ev "^(lib(perl|gdbm|db5|llvm|z3).*|$unwanted)\$")
  mkdir -p "$state/debs" "$dest"
  # shellcheck disable=SC2086 # one word per package
  (cd "$state/debs" && apt-get -c "$state/apt.conf" -qq download $names >"$state/download.log" 2>&1) ||
    fail "cannot download the packages $*" "$(cat "$state/download.log")"
  for deb in "$state"/debs/*.deb; do dpkg-deb -x "$deb" "$dest"; done
  rm -rf "$dest"/usr/share/{doc,man,locale,lintian} "$dest"/usr/lib/debug
  chmod -R a+rX "$dest"
}

# fetch_tree NAME: makes the tree NAME with the function `fetch_NAME STATE DEST`
# unless an earlier run has.
fetch_tree() {
  local dest work name
  name=$(tree_name "$1")
  dest=$(tree "$1")
  if [ -d "$dest" ]; then return; fi
  mkdir -p "${dest%/*}"
  unprivileged test -x "${dest%/*}" ||
    fail "the servers do not run as root, and others cannot look into $CACHE" "set XDG_CACHE_HOME to a folder everyone may enter"
  (
    flock 9 # Another run may be fetching the same.
    if [ -d "$dest" ]; then exit; fi
    note "getting $name (kept in $dest)"
    work=$(mktemp -d "$dest.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    apt_private "$work"
    "fetch_$name" "$work" "$work/root"
    mv "$work/root" "$dest"
  ) 9>"$dest.lock"
}

# library_path TREE: prints the tree's library folders, joined by colons.
library_path() {
  local path='' folder
  for folder in "$1"/lib/*-linux-gnu* "$1"/usr/lib/*-linux-gnu* "$1"/usr/lib/mysql/private; do
    if [ -d "$folder" ]; then path+=${path:+:}$folder; fi
  done
  echo "$path"
}

# own_linker TREE: prints the tree's own dynamic linker, for programs that want another libc than the
# machine's: the path inside of them is the machine's.
own_linker() { find "$1" -name 'ld-linux*.so.*' | sed -n 1p; }
