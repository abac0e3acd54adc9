/// The scripts by which shells complete a program's command lines: they ask the program, with its
/// hidden command ``request`` and the words typed so far.
public enum CompletionScript: String, Sendable, CaseIterable {
    case bash, zsh, fish

    /// The first argument by which a script asks; it is in no help.
    public static let request = "__complete"

    /// The script for a program of this name.
    public func text(for program: String) -> String {
        template.replacing("PROGRAM", with: program)
            .replacing("REQUEST", with: Self.request)
            .replacing("FILES", with: Completion.filesMark)
    }

    private var template: String {
        switch self {
        case .bash: Self.bashTemplate
        case .zsh: Self.zshTemplate
        case .fish: Self.fishTemplate
        }
    }

    private static let bashTemplate = #"""
        # Completion of PROGRAM for bash: source this file, or put it where bash-completion looks.
        _PROGRAM() {
            local index word line typed prefix
            local -a words=()
            # bash cuts words at = and : too; here a word ends at a blank.
            for ((index = 1; index <= COMP_CWORD; index++)); do
                word=${COMP_WORDS[index]}
                if ((${#words[@]})) &&
                    [[ $word =~ ^[=:]+$ || ${COMP_WORDS[index - 1]} =~ ^[=:]+$ ]]; then
                    words[${#words[@]} - 1]+=$word
                else
                    words+=("$word")
                fi
            done
            typed=${words[${#words[@]} - 1]}
            # What bash has cut off stays as it is: only the rest is replaced.
            prefix=${typed%"${typed##*[=:]}"}
            COMPREPLY=()
            while IFS= read -r line; do
                if [[ $line == FILES ]]; then
                    compopt -o filenames 2>/dev/null
                    while IFS= read -r word; do
                        COMPREPLY+=("$word")
                    done < <(compgen -f -- "${typed#"$prefix"}")
                else
                    word=${line%%$'\t'*}
                    COMPREPLY+=("${word#"$prefix"}")
                fi
            done < <("${COMP_WORDS[0]}" REQUEST "${words[@]}" 2>/dev/null)
        }
        complete -F _PROGRAM PROGRAM

        """#

    private static let zshTemplate = #"""
        #compdef PROGRAM
        # Completion of PROGRAM for zsh: save it as _PROGRAM in a folder of $fpath, or source it
        # behind compinit.
        _PROGRAM() {
            local line word help typed prefix files=
            local -a answer candidates
            typed=${(Q)words[CURRENT]}
            # What stands behind --name= is completed alone.
            if [[ $typed == --*=* ]]; then prefix=${typed%%=*}=; compset -P '*='; fi
            answer=("${(@f)$(${(Q)words[1]} REQUEST "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
            for line in $answer; do
                if [[ $line == FILES ]]; then
                    files=yes
                else
                    line=${line#$prefix}
                    word=${${line%%$'\t'*}//:/\\:}
                    help=${line#*$'\t'}
                    candidates+=("$word${help:+:$help}")
                fi
            done
            if [[ -n $files ]]; then _files; fi
            if (($#candidates)); then _describe 'PROGRAM' candidates; fi
        }
        if [[ $funcstack[1] == _PROGRAM ]]; then _PROGRAM "$@"; else compdef _PROGRAM PROGRAM; fi

        """#

    private static let fishTemplate = #"""
        # Completion of PROGRAM for fish: save it as ~/.config/fish/completions/PROGRAM.fish.
        function __PROGRAM_complete
            set -l typed (commandline -ct)
            set -l words (commandline -opc)
            for line in (command $words[1] REQUEST $words[2..-1] "$typed" 2>/dev/null)
                if test "$line" = FILES
                    # What stands behind --name= is completed alone.
                    set -l prefix (string match -r -- '^--[^=]*=' "$typed")
                    set -l path (string replace -r -- '^--[^=]*=' '' "$typed")
                    for file in (__fish_complete_path "$path")
                        echo "$prefix$file"
                    end
                else
                    echo $line
                end
            end
        end
        complete -c PROGRAM -f -a '(__PROGRAM_complete)'

        """#
}
