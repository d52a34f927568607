import { REQUEST, type Shell } from './shells.js';

/**
 * The scripts send the line to the tool on stdin. Its output has the kind of completion (`words`, `files` or `directories`) on the
 * first line, then one candidate per line, quoted for the shell. No script evaluates a word of the line or of the output: a name in the
 * store can be any text. For why this uses no library, see docs/decisions/0015-completion.md.
 */
const BASH = `# bash completion for unlockos-keys
#
# Once, in this shell:    source <(unlockos-keys completion bash)
# Permanently: add that line to ~/.bashrc; or, if the package bash-completion is installed, which loads it on demand:
#   unlockos-keys completion bash > ~/.local/share/bash-completion/completions/unlockos-keys
# That package is not required. bash 3.2, the version on macOS, completes everything except file names.

_unlockos_keys() {
    local kind line
    COMPREPLY=()
    {
        IFS= read -r kind
        case $kind in
            words) while IFS= read -r line; do COMPREPLY+=("$line"); done ;;
            files) compopt -o default ;;
            directories) compopt -o dirnames ;;
        esac
    } 2>/dev/null < <(printf '%s\\0' "\${COMP_LINE:0:COMP_POINT}" "$2" | command unlockos-keys ${REQUEST} bash 2>/dev/null)
}
complete -F _unlockos_keys unlockos-keys
`;

const ZSH = `#compdef unlockos-keys
# zsh completion for unlockos-keys
#
# Once, in this shell: source <(unlockos-keys completion zsh)
# Permanently: put it into a directory of $fpath, before compinit runs (in ~/.zshrc: fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit):
#   unlockos-keys completion zsh > ~/.zfunc/_unlockos-keys

_unlockos-keys() {
    local -a answer
    answer=("\${(@f)$(printf '%s\\0' "\${(@Q)words[1,CURRENT-1]}" "\${(Q)PREFIX}" | command unlockos-keys ${REQUEST} zsh 2>/dev/null)}")
    case $answer[1] in
        words)
            shift answer
            _describe -t values 'unlockos-keys' answer
            ;;
        files)
            compset -P '--*='
            _files
            ;;
        directories)
            compset -P '--*='
            _files -/
            ;;
    esac
}

if [[ $funcstack[1] == _unlockos-keys ]]; then
    _unlockos-keys "$@"
elif (( $+functions[compdef] )); then
    compdef _unlockos-keys unlockos-keys
fi
`;

const FISH = `# fish completion for unlockos-keys
#
# Once, in this shell: unlockos-keys completion fish | source
# Permanently:         unlockos-keys completion fish > ~/.config/fish/completions/unlockos-keys.fish

function __unlockos_keys_complete
    set -l answer (commandline -cp | command unlockos-keys ${REQUEST} fish 2>/dev/null)
    set -l word (commandline -ct)
    set -l flag (string match -r -- '^--[a-z-]+=' "$word")
    set -l value (string replace -r -- '^--[a-z-]+=' '' "$word")
    if string match -qr -- '^[\\x22\\x27]' "$value" # a quote is open: the rest is one word
        set value (string escape --no-quoted -- (string sub -s 2 -- "$value"))
    end
    switch "$answer[1]"
        case words
            printf '%s\\n' $answer[2..-1]
        case files
            printf '%s\\n' "$flag"(__fish_complete_path "$value")
        case directories
            printf '%s\\n' "$flag"(__fish_complete_directories "$value" '')
    end
end
complete -c unlockos-keys -e
complete -c unlockos-keys -f -a '(__unlockos_keys_complete)'
`;

const POWERSHELL = `# PowerShell completion for unlockos-keys
#
# Once, in this session: unlockos-keys completion powershell | Out-String | Invoke-Expression
# Permanently: the same line in the file that $PROFILE names.

Register-ArgumentCompleter -Native -CommandName unlockos-keys -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object {
            if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
        })
    $nul = [string][char]0
    $line = ((@($words) + @($wordToComplete.Trim('''"'))) -join $nul) + $nul
    $OutputEncoding = [System.Text.UTF8Encoding]::new($false)
    $before = [Console]::OutputEncoding
    try {
        [Console]::OutputEncoding = $OutputEncoding
        $kind, $answer = @($line | unlockos-keys ${REQUEST} powershell 2>$null)
    } finally {
        [Console]::OutputEncoding = $before
    }
    if ($kind -ne 'words') { return }
    foreach ($each in $answer) {
        $text, $label, $tip = $each.Split([char]9)
        [System.Management.Automation.CompletionResult]::new($text, $label, 'ParameterValue', $tip)
    }
}
`;

/** What `completion SHELL` prints. */
export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH, powershell: POWERSHELL };
