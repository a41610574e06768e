#!/usr/bin/env bash
# vLLM with firstbyte:   ./vllm.sh MODEL [ARGUMENTS OF vllm serve]
set -euo pipefail

export FIRSTBYTE_LOG=${FIRSTBYTE_LOG:-$PWD/server.log} # lines of the API server
export FIRSTBYTE=1                                     # the plugin: lines of the engine
export VLLM_SERVER_DEV_MODE=1                          # /pause, /update_weights, ...; nobody is asked for a key

# A list of plugins rules out whatever is not on it.
if [[ -v VLLM_PLUGINS ]]; then
    export VLLM_PLUGINS=$VLLM_PLUGINS,firstbyte
fi
# vLLM's front end in Rust runs no Python middleware.
unset VLLM_USE_RUST_FRONTEND

# The middleware that is listed last is outermost: ours sees a request before all others do.
exec vllm serve "${1:?which model?}" --host 127.0.0.1 "${@:2}" --middleware firstbyte.FirstByteMiddleware
