/**
 * What shells read. Each script asks the program itself for what fits, so that it never says other than the program: the first line of
 * the answer is `:files` where names of files fit as well, else `:words`; then a candidate on each line, and after a tab what it means.
 */
export const completionScripts = {
  // Bash breaks words at = and :, and puts a candidate in the place of what follows the last of them.
  bash: String.raw`# Completion of holdfast for bash: eval "$(holdfast completion bash)"
_holdfast() {
  local index word value mode prefix glued=
  local -a words=()
  for ((index = 1; index <= COMP_CWORD; index++)); do
    word=${'$'}{COMP_WORDS[index]}
    if [[ ${'$'}{#words[@]} -gt 0 && ( $word == [=:]* || -n $glued ) ]]; then
      words[${'$'}{#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    glued=
    if [[ $word == *[=:] ]]; then glued=yes; fi
  done
  word=${'$'}{words[${'$'}{#words[@]} - 1]}
  prefix=${'$'}{word%"${'$'}{word##*[=:]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r value _; do
    case $value in
      :files | :words) mode=$value ;;
      *) COMPREPLY+=("$(printf %q "${'$'}{value#"$prefix"}")") ;;
    esac
  done < <(holdfast completion bash -- "${'$'}{words[@]}" 2>/dev/null)
  if [[ $mode == :files ]]; then compopt -o default 2>/dev/null; fi
}
complete -F _holdfast holdfast
`,
  zsh: String.raw`#compdef holdfast
# Completion of holdfast for zsh: source <(holdfast completion zsh), or a file _holdfast in a folder of $fpath
_holdfast() {
  local -a lines described
  local line mode
  lines=("${'$'}{(@f)$(holdfast completion zsh -- "${'$'}{(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  mode=${'$'}lines[1]
  for line in "${'$'}{(@)lines[2,-1]}"; do
    described+=("${'$'}{${'$'}{line%%$'\t'*}//:/\\:}:${'$'}{line#*$'\t'}")
  done
  if (( ${'$'}{#described} )); then _describe -t words holdfast described; fi
  if [[ $mode == :files ]]; then
    compset -P '--*='
    _files
  fi
}
if [[ ${'$'}{funcstack[1]} == _holdfast ]]; then
  _holdfast "$@"
else
  compdef _holdfast holdfast
fi
`,
  fish: `# Completion of holdfast for fish: holdfast completion fish | source
function __holdfast_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l lines (holdfast completion fish -- $before[2..-1] "$current" 2>/dev/null)
    for line in $lines
        switch $line
            case :words
            case :files
                __fish_complete_path "$current"
            case '*'
                echo $line
        end
    end
end
complete -c holdfast -f -a '(__holdfast_complete)'
`,
} as const;

/** A shell that has completion. */
export type CompletedShell = keyof typeof completionScripts;
