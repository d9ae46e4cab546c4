# Completion of doorctl for fish. doorctl itself says what may come next, and asks doord for doors and people.

function __doorctl_complete
    set -l before (commandline -opc)
    set -l said ($before[1] __complete $before[2..] (commandline -ct | string collect --allow-empty) 2>/dev/null)
    if string match -q ':files*' -- $said
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $said
    end
end

complete -c doorctl -f -a '(__doorctl_complete)'
