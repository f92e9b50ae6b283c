#!/bin/sh
#SBATCH --job-name=cloudtrail2sql
#SBATCH --array=1-8
#SBATCH --cpus-per-task=1
#SBATCH --mem=512M
#SBATCH --time=1-00:00:00
#SBATCH --output=cloudtrail2sql-%A-%a.log

# Imports with as many processes as the array has tasks. The arguments are the sources and further
# options of `import`. The program and its credentials must be found on every node. See docs/workers.md.
exec cloudtrail2sql import --shard auto --exit-zero-on-losses "$@"
