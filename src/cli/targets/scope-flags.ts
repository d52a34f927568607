import { KeysError } from '../../domain/errors.js';
import type { ScopeRequest } from '../../domain/scope-change.js';
import { splitList } from '../../domain/scopes.js';
import { type CommandBuilder, collect } from '../command.js';

/** The flags that say what a new key may do. `--scopes` is another spelling of `--scope`. */
export interface ScopeFlags {
  readonly scope?: string[];
  readonly scopes?: string[];
  readonly addScope?: string[];
  readonly dropScope?: string[];
}

/** Declares them. `help` is that of `--scope`; `base` names the key that the others compare with. */
export function scopeOptions(command: CommandBuilder, help: string, base: string): CommandBuilder {
  return command
    .option('-s, --scope <scope>', help, collect)
    .addOption(command.createOption('--scopes <scope>').argParser(collect).hideHelp())
    .option('--add-scope <scope>', `${base}, and this`, collect)
    .option('--drop-scope <scope>', `${base}, less this`, collect);
}

function given(values: readonly string[] | undefined): string[] | undefined {
  return values && splitList(values);
}

/** What they ask for. Throws `usage` where all scopes are given, and scopes to add or to drop as well. */
export function readScopeFlags({ scope, scopes, addScope, dropScope }: ScopeFlags): ScopeRequest {
  const all = scope || scopes ? [...(scope ?? []), ...(scopes ?? [])] : undefined;
  if (all && (addScope || dropScope))
    throw new KeysError(
      'usage',
      `--scope and ${addScope ? '--add-scope' : '--drop-scope'} do not go together: --scope names all scopes of the new key`,
      'pass either --scope, or --add-scope and --drop-scope',
    );
  return { scopes: given(all), addScopes: given(addScope), dropScopes: given(dropScope) };
}
