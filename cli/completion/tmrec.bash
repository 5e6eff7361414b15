# bash completion for tmrec(1)

# Names of the traces in the trace directory.
_tmrec_traces() {
  local base=${TMREC_TRACE_DIR:-}
  if [[ -z $base ]]; then
    base=${XDG_DATA_HOME:-$HOME/.local/share}/tmrec
    [[ -d $base ]] || base=/var/lib/tmrec
  fi
  local manifest
  for manifest in "$base"/*/manifest.json; do
    [[ -e $manifest ]] || continue
    manifest=${manifest%/manifest.json}
    printf '%s\n' "${manifest##*/}"
  done
}

# Fills COMPREPLY with the lines of $1 that begin with the word being completed.
_tmrec_offer() {
  local line
  while IFS= read -r line; do
    [[ -n $line && $line == "$2"* ]] && COMPREPLY+=("$line")
  done <<<"$1"
}

_tmrec() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local general=$'--help\n--quiet\n--log-level' command= i word
  COMPREPLY=()

  # The subcommand, and for record the first word that is no option: what follows is another program's command line.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --log-level | -o | --output | --name | --check | --seed | --slice | --ticks | --no-patch | --from | --to | --tid | --identity | --encrypt-to) ((i++)) ;;
      --)
        if [[ $command == record ]]; then
          ((i++))
          break
        fi
        ;;
      -*) ;;
      *)
        [[ $command == record ]] && break
        [[ -z $command ]] && command=$word
        ;;
    esac
  done
  if [[ $command == record && $i -lt $COMP_CWORD ]] && declare -F _command_offset >/dev/null; then
    _command_offset "$i"
    return
  fi

  case $previous in
    --log-level) _tmrec_offer $'error\nwarning\ninfo\ndebug' "$current"; return ;;
    -o | --output) _tmrec_offer "$(compgen -d -- "$current")" ""; return ;;
    --cpu-baseline) _tmrec_offer $'native\nx86-64-v2\nx86-64-v3\nhaswell\nskylake\nzen2' "$current"; return ;;
    --ticks) _tmrec_offer $'auto\nsoftware\npmu' "$current"; return ;;
    --no-patch | --identity | --encrypt-to) _tmrec_offer "$(compgen -f -- "$current")" ""; return ;;
    --name | --check | --seed | --slice | --from | --to | --tid) return ;;
  esac

  local options=
  case $command in
    '') _tmrec_offer $'record\nreplay\ndump\ninfo\nls\nrm\npack\ntrigger\ndoctor\n--version\n'"$general" "$current"; return ;;
    record) options=$'--pid\n--for\n--max-size\n--on-signal\n--ring\n--on-crash\n--on-exit-failure\n--starting-points\n--max-memory\n--max-traces\n--require\n--output\n--name\n--check\n--seed\n--chaos\n--slice\n--ticks\n--no-patch\n--no-ticks\n--cpu-baseline\n--agent\n--agent-after' ;;
    replay) options=$'--autonomous\n--verify\n--identity' ;;
    dump) options=$'--from\n--to\n--tid\n--json\n--identity' ;;
    pack) options=$'--output\n--encrypt-to\n--no-debug\n--identity' ;;
    info) options=$'--json\n--identity' ;;
    ls | doctor) options=--json ;;
  esac
  if [[ $current == -* ]]; then
    _tmrec_offer "$options"$'\n'"$general" "$current"
    return
  fi
  case $command in
    record) _tmrec_offer "$(compgen -c -- "$current"; compgen -f -- "$current")" "" ;;
    rm) _tmrec_offer "$(_tmrec_traces; compgen -d -- "$current")" "$current" ;;
    replay | dump | info | pack) _tmrec_offer "$(_tmrec_traces; compgen -f -- "$current")" "$current" ;;
  esac
}

complete -o filenames -F _tmrec tmrec
