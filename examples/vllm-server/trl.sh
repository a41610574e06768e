#!/usr/bin/env bash
# The server of TRL's AsyncGRPOTrainer:   CUDA_VISIBLE_DEVICES=0 ./trl.sh MODEL [ARGUMENTS OF vllm serve]
set -euo pipefail

exec "$(dirname "$0")/vllm.sh" "${1:?which model?}" "${@:2}" \
    --logprobs-mode processed_logprobs \
    --weight-transfer-config '{"backend":"nccl"}'
