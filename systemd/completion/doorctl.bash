# Completion of doorctl for bash. doorctl itself says what may come next, and asks doord for doors and people.

_doorctl() {
    local line said IFS=$'\n'
    COMPREPLY=()
    said=$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return 0
    for line in $said; do
        case $line in
        :files*) compopt -o default && COMPREPLY=() && return 0 ;;
        esac
        COMPREPLY+=("${line%%$'\t'*}")
    done
}

complete -F _doorctl doorctl
