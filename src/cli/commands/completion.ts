import { KeysError } from '../../domain/errors.js';
import { didYouMean } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import { examples, type Register } from '../command.js';
import { SHELLS } from '../completion/shells.js';
import type { Session } from '../session.js';

export const registerCompletion: Register = (program, run) => {
  program
    .command('completion')
    .summary('print a completion script for your shell')
    .description(
      `Print the completion script for a shell: ${SHELLS.join(', ')}. Its first lines say how to install it. It completes commands, flags, values, and the key names and scopes of the store.`,
    )
    .argument('<shell>', SHELLS.join(', '))
    .addHelpText(
      'after',
      examples(
        'completion bash > ~/.local/share/bash-completion/completions/unlockos-keys',
        'completion zsh > ~/.zfunc/_unlockos-keys',
        'completion fish > ~/.config/fish/completions/unlockos-keys.fish',
      ),
    )
    .action(run((session, _flags: object, shell: string) => completion(session, shell)));
};

async function completion(session: Session, name: string): Promise<void> {
  const shell = SHELLS.find((each) => each === name);
  if (!shell) {
    const guess = didYouMean(name, SHELLS);
    throw new KeysError(
      'usage',
      `no completion for ${quoted(name)}${guess ? `, did you mean ${guess}?` : ''}`,
      `available: ${SHELLS.join(', ')}`,
    );
  }
  const { SCRIPTS } = await import('../completion/scripts.js');
  session.ctx.stdout.write(SCRIPTS[shell]);
}
