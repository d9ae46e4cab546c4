#compdef doorctl
# Completion of doorctl for zsh. doorctl itself says what may come next, and asks doord for doors and people.

_doorctl() {
    local line tab=$'\t'
    local -a said found
    said=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $said; do
        if [[ $line == :files* ]]; then
            _files
            return
        fi
        found+=("${${line%%$tab*}//:/\\:}:${line#*$tab}")
    done
    (( $#found )) && _describe -V doorctl found
}

_doorctl "$@"
