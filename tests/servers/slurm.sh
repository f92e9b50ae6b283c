# shellcheck shell=bash
# A Slurm cluster of one node, for the script in deploy/, and GNU parallel, which comes in the same tree.
#
# The daemons run as the user of this script: a node that is not root runs the jobs of its own user. MUNGE
# checks who submits a job, with a key of this run.

fetch_slurm() {
  unpack_packages "$1" "$2" libc6 slurmctld slurmd slurm-client munge parallel
}

# serve_slurm FOLDER PORT PASSWORD NAME: becomes the node, with the controller beside it.
serve_slurm() {
  local folder=$1 port=$2 root host user
  root=$(tree slurm)
  host=$(hostname -s)
  user=$(id -un)
  mkdir -m 700 "$folder/state" "$folder/spool" "$folder/munge"
  cat >"$folder/slurm.conf" <<CONF
ClusterName=tests
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=${PORTS[$4-node]}
SlurmUser=$user
SlurmdUser=$user
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/controller.pid
SlurmdPidFile=$folder/node.pid
PluginDir=$(slurm_plugins)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_res
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=8192
PartitionName=tests Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  export LD_LIBRARY_PATH SLURM_CONF=$folder/slurm.conf
  LD_LIBRARY_PATH=$(library_path "$root"):$(slurm_plugins)
  (umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key")
  # The kernel ends all three should this script be killed without its cleanup.
  setpriv --pdeathsig KILL -- "$root/usr/sbin/munged" --foreground --force --key-file="$folder/munge/key" \
    --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed" \
    --log-file="$folder/munge/log" >"$folder/munge.log" 2>&1 &
  until [ -S "$folder/munge/socket" ]; do sleep 0.05; done
  setpriv --pdeathsig KILL -- "$root/usr/sbin/slurmctld-wlm" -D -f "$SLURM_CONF" >"$folder/controller.log" 2>&1 &
  exec setpriv --pdeathsig KILL -- "$root/usr/sbin/slurmd-wlm" -D -f "$SLURM_CONF" -N "$host" -d "$root/usr/sbin/slurmstepd-wlm"
}

slurm_plugins() { echo "$(tree slurm)"/usr/lib/*-linux-gnu*/slurm-wlm; }

slurm_is_ready() {
  [ -e "$1/slurm.conf" ] && slurm_environment "$1" && [[ $(env "${SLURM_ENVIRONMENT[@]}" sinfo --noheader --format %T 2>/dev/null) == idle ]]
}

# slurm_environment FOLDER: sets SLURM_ENVIRONMENT to what the commands of the cluster need.
slurm_environment() {
  SLURM_ENVIRONMENT=("SLURM_CONF=$1/slurm.conf" "PATH=$(tree slurm)/usr/bin:$PATH"
    "LD_LIBRARY_PATH=$(library_path "$(tree slurm)"):$(slurm_plugins)")
}

stop_slurm() { kill -s KILL -- "-$1"; }

# start_engines: starts Slurm, and exports the variables for the tests: TEST_SLURM has what its commands need,
# and TEST_PARALLEL is the folder of the program. Where they cannot be had, it says so and their tests are
# left out.
start_engines() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    note "left out: the runs of deploy/slurm.sh and deploy/parallel.sh, which need packages of Debian or Ubuntu"
    # shellcheck disable=SC2034 # tests/run reads it
    LEFT_OUT=(--skip slurm_ --skip gnu_parallel_)
    return
  fi
  check_distribution
  pick_port slurm
  pick_port slurm-node
  start_processes slurm
  slurm_environment "$FOLDER/slurm"
  TEST_SLURM=$(printf '%s\n' "${SLURM_ENVIRONMENT[@]}")
  TEST_PARALLEL=$(tree slurm)/usr/bin
  export TEST_SLURM TEST_PARALLEL
}
