# shellcheck shell=bash
# S3 as moto gives it: a server that shares no code with ours, run by the
# distribution's Python.

readonly MOTO_VERSION=5.2.5

fetch_s3() {
  # Not the machine's own Python: that may be absent, too old, or lack pip.
  # As for PostgreSQL, libc6 stays out: the wheels are made for the machine's own.
  unpack_packages "$1" "$2" libc6 python3 python3-pip-whl
  # What S3 and the web server need; `moto[server]` is the same with every service's needs.
  install_packages "$1" "$2" moto "moto[s3]==$MOTO_VERSION" flask flask-cors ||
    fail "cannot install moto $MOTO_VERSION with pip" "$(cat "$1/pip.log")
without it set TEST_S3_URL to the URL of a moto server of your own"
}

# install_packages STATE TREE FOLDER PACKAGE…: installs packages from PyPI into FOLDER in the tree. What
# pip prints is in STATE/pip.log.
install_packages() {
  local state=$1 root=$2 folder=$3
  shift 3
  # pip runs out of its own wheel, so nothing is installed to install packages.
  python "$root" "$(echo "$root"/usr/share/python-wheels/pip-*.whl)/pip" install --quiet --no-input \
    --disable-pip-version-check --no-warn-script-location --only-binary :all: --target "$root/$folder" \
    "$@" >"$state/pip.log" 2>&1 && chmod -R a+rX "$root/$folder"
}

# python TREE ARGS…: runs the tree's interpreter, which finds its library next to itself.
python() {
  local root=$1
  shift
  python_environment "$root"
  env "${PYTHON_ENVIRONMENT[@]}" "$PYTHON" "$@"
}

# python_environment TREE: sets PYTHON to the interpreter and PYTHON_ENVIRONMENT to
# what it needs, with nothing of the user's own Python.
python_environment() {
  PYTHON=$(find "$1/usr/bin" -name 'python3.*' | head -n 1)
  PYTHON_ENVIRONMENT=(-u PYTHONHOME -u PYTHONSTARTUP "PYTHONPATH=$1/moto" PYTHONNOUSERSITE=1
    PIP_REQUIRE_VIRTUALENV=0 PIP_USER=0 "LD_LIBRARY_PATH=$(library_path "$1")")
}

# serve_s3 FOLDER PORT: becomes the server. It keeps all data in memory, and takes any keys.
serve_s3() {
  python_environment "$(tree s3)"
  give_folder "$1"
  unprivileged_exec env "${PYTHON_ENVIRONMENT[@]}" "$PYTHON" -m moto.server -H 127.0.0.1 -p "$2"
}

s3_is_ready() { grep -q 'Running on http' "$1/log" 2>/dev/null; }

s3_url() { echo "http://127.0.0.1:$1"; }

stop_s3() { kill -s KILL -- "-$1"; }
