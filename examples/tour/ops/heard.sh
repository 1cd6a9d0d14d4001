# A hook gets one JSON object on stdin.
printf 'heard: %.60s…\n' "$(cat)" >&2
