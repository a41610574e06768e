#!/usr/bin/env bash
# verl with vLLM rollouts:   ./verl.sh [OVERRIDES OF verl.trainer.main_ppo]
set -euo pipefail

log=${FIRSTBYTE_LOG:-$PWD/firstbyte.log}
env=+ray_kwargs.ray_init.runtime_env.env_vars

# The servers are Ray actors: their environment is that of the job. Ray wants text, hence the quotes.
exec python3 -m verl.trainer.main_ppo "$@" \
    "$env.FIRSTBYTE='1'" \
    "$env.FIRSTBYTE_LOG='$log'" \
    +actor_rollout_ref.rollout.engine_kwargs.vllm.middleware=firstbyte.FirstByteMiddleware
