# shellcheck shell=bash
# The official AWS CLI, which judges the scenarios of tests/it/verify/, too.

readonly AWS_CLI_VERSION=1.46.2

# get_aws_cli: exports TEST_AWS_CLI, the program, unless it is set. The tests start it.
get_aws_cli() {
  if [ -n "${TEST_AWS_CLI:-}" ]; then return; fi
  if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    check_distribution
    fetch_tree awscli
    TEST_AWS_CLI=$(tree awscli)/aws
  else
    get_aws_cli_for_own_python
  fi
  export TEST_AWS_CLI
}

get_aws_cli_for_own_python() {
  local folder=$CACHE/awscli-$AWS_CLI_VERSION
  TEST_AWS_CLI=$folder/bin/aws
  if [ -e "$folder/complete" ]; then return; fi
  note "installing the AWS CLI (kept in $folder)"
  make_python "$folder" "awscli==$AWS_CLI_VERSION"
}

fetch_awscli() {
  # As for moto, see s3.sh.
  unpack_packages "$1" "$2" libc6 python3 python3-pip-whl
  install_packages "$1" "$2" awscli "awscli==$AWS_CLI_VERSION" ||
    fail "cannot install the AWS CLI $AWS_CLI_VERSION with pip" "$(cat "$1/pip.log")
without it set TEST_AWS_CLI to an AWS CLI of your own"
  aws_cli_script >"$2/aws"
  chmod 755 "$2/aws"
}

# The program that the tests start: the AWS CLI with the Python of its tree.
aws_cli_script() {
  cat <<'SH'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")
for folder in "$root"/lib/*-linux-gnu* "$root"/usr/lib/*-linux-gnu*; do path=$path:$folder; done
unset PYTHONHOME PYTHONSTARTUP
export LD_LIBRARY_PATH="${path#:}" PYTHONPATH="$root/awscli" PYTHONNOUSERSITE=1
for python in "$root"/usr/bin/python3.*; do exec "$python" -m awscli "$@"; done
SH
}
