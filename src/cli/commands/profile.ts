import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { parseExpiry } from '../../domain/expiry.js';
import { didYouMean } from '../../domain/scopes.js';
import { quoted, safeText } from '../../domain/text.js';
import { confirm } from '../asking/confirm.js';
import { examples, type Register } from '../command.js';
import { type View, view } from '../output/view.js';
import type { Session } from '../session.js';
import type { Config, Profile } from '../settings/profile.js';

interface AddFlags {
  readonly tokenFile?: string;
  readonly pepperFile?: string;
  readonly protected?: boolean;
  readonly testOnly?: boolean;
  readonly defaultOutput?: string;
  readonly defaultExpires?: string;
  readonly defaultRateLimit?: string;
  readonly use?: boolean;
  readonly force?: boolean;
}

function viewOf({ defaultProfile }: Config): View<Profile> {
  const token = ({ tokenFile, tokenCommand }: Profile) => tokenFile ?? tokenCommand?.join(' ') ?? '';
  const guards = (profile: Profile) =>
    [profile.protected ? 'protected' : '', profile.testOnly ? 'test only' : ''].filter(Boolean).join(', ');
  return view('name', {
    name: { column: { header: 'NAME', text: ({ name }) => (name === defaultProfile ? `${name} *` : name) } },
    default: { json: ({ name }) => name === defaultProfile },
    store: { column: { header: 'STORE', text: ({ store }) => store } },
    tokenFile: { column: { header: 'TOKEN FROM', text: token } },
    tokenCommand: {},
    pepperFile: {},
    protected: { column: { header: 'GUARDS', text: guards } },
    testOnly: {},
    allowHttp: {},
    defaults: {},
  });
}

function find({ profiles }: Config, name: string): Profile {
  const found = profiles.get(name);
  if (found) return found;
  const names = [...profiles.keys()];
  const guess = didYouMean(name, names);
  throw new KeysError(
    'not_found',
    `there is no profile ${quoted(name)}${guess ? `, did you mean ${guess}?` : ''}`,
    names.length === 0
      ? 'there are no profiles; add one: unlockos-keys profile add NAME --store URL'
      : `profiles: ${names.join(', ')}`,
  );
}

export const registerProfile: Register = (program, run) => {
  const profile = program
    .command('profile')
    .summary('named stores: list, show, add, use, remove')
    .description(
      'Profiles: named stores, each with the source of its token, guards and defaults. -p NAME uses a profile for one command.',
    );

  profile
    .command('list', { isDefault: true })
    .allowExcessArguments()
    .summary('list the profiles; * marks the default')
    .description('List the profiles. The one marked * is used when no store is named.')
    .addHelpText('after', examples('profile list', 'profile list --json'))
    .action(
      run(async (session, _flags: object) => {
        const { config } = session.settings;
        const empty = 'No profiles yet. Add one: unlockos-keys profile add NAME --store URL';
        await session.out.print([...config.profiles.values()], viewOf(config), { empty });
      }),
    );

  profile
    .command('show')
    .summary('show one profile; never a token')
    .description('Show a profile (without a name, the default one). A token is never shown, only where it comes from.')
    .argument('[name]', 'a profile')
    .addHelpText('after', examples('profile show prod', 'profile show --json'))
    .action(run((session, _flags: object, name?: string) => show(session, name)));

  profile
    .command('add')
    .summary('add a profile')
    .description(
      'Add a profile for the store that --store names. The words after -- are a command that prints the token. The configuration file keeps its comments and may be edited by hand.',
    )
    .argument('<name>', 'letters, digits, dot, dash and underscore')
    .argument('[command...]', 'after --: the command that prints the token')
    .option('--token-file <file>', 'a file with the token, readable by its owner only')
    .option('--pepper-file <file>', 'a file with the peppers of the store: see store hash')
    .option('--protected', "require the key's name to be typed for disabling and deleting")
    .option('--test-only', 'refuse to create or change live keys')
    .option('--default-output <format>', 'the output format without -o')
    .option('--default-expires <when>', 'the expiry of new keys without --expires, e.g. 90d')
    .option('--default-rate-limit <n/unit>', 'the rate limit of new keys without --rate-limit')
    .option('--use', 'make it the default profile')
    .option('--force', 'replace an existing profile of this name')
    .addHelpText(
      'after',
      examples(
        'profile add prod --store libsql://keys-acme.turso.io --protected -- op read op://ops/unlockos/token',
        'profile add ci --store https://db.example:8443 --token-file /run/secrets/token --test-only',
        'profile add here --store ./keys.db --use',
      ),
    )
    .hook('preAction', refuseUndashedWords)
    .action(run((session, flags: AddFlags, name: string, command: string[]) => add(session, flags, name, command)));

  profile
    .command('use')
    .summary('make a profile the default')
    .description('Make a profile the default, which is used when neither a flag nor the environment names a store.')
    .argument('<name>', 'a profile')
    .addHelpText('after', examples('profile use staging', 'profile use prod --dry-run'))
    .action(
      run(async (session, _flags: object, name: string) => {
        const change = (document: Editable, config: Config) => {
          find(config, name);
          document.set('default', name);
        };
        const config = await edit(session, change, `${name} is now the default profile`);
        await answer(session, find(config, name), config);
      }),
    );

  profile
    .command('remove')
    .summary('remove a profile; its store stays')
    .description('Remove a profile. Its store is not changed.')
    .argument('<name>', 'a profile')
    .addHelpText('after', examples('profile remove old', 'profile remove old --yes'))
    .action(
      run(async (session, _flags: object, name: string) => {
        const profile = find(session.settings.config, name);
        if (!session.dryRun)
          await confirm(session, {
            action: `remove profile ${quoted(name)} (${profile.store}); the store itself stays`,
          });
        const change = (document: Editable, config: Config) => {
          find(config, name);
          document.deleteIn(['profiles', name]);
          if (config.defaultProfile === name) document.delete('default');
        };
        await answer(session, profile, await edit(session, change, `Removed profile ${name}`));
      }),
    );
};

/** The part of a YAML document that a change uses. */
interface Editable {
  set(key: string, value: unknown): void;
  setIn(path: string[], value: unknown): void;
  delete(key: string): boolean;
  deleteIn(path: string[]): boolean;
  createNode(value: unknown, options?: { flow: boolean }): unknown;
}

/** The configuration after the change; in a dry run, as it would be. */
async function edit(
  session: Session,
  change: (document: Editable, config: Config) => void,
  said: string,
): Promise<Config> {
  const { editConfig } = await import('../settings/config-edit.js');
  const config = await editConfig(session.ctx, change, { dryRun: session.dryRun });
  if (session.dryRun) session.out.remark(`Dry run: would change ${config.file}`);
  else session.out.note(`${said} (${config.file})`);
  return config;
}

async function answer(session: Session, profile: Profile, config: Config): Promise<void> {
  if (session.format !== 'table') await session.out.print([profile], viewOf(config), { single: true });
}

/**
 * Throws `usage` for a second word before `--`: it must not become a command that is run later, and a token that was passed by mistake must
 * not be written to a file. commander removes the `--`, so the raw arguments are searched for it.
 */
function refuseUndashedWords(command: { args: string[]; parent: unknown }): void {
  let root = command as { parent: unknown; rawArgs?: string[] };
  while (root.parent) root = root.parent as typeof root;
  const words = root.rawArgs ?? [];
  const dashed = words.includes('--') ? words.length - words.indexOf('--') - 1 : 0;
  if (command.args.length - 1 > dashed)
    throw new KeysError(
      'usage',
      'profile add takes one name; a token command goes after --',
      'unlockos-keys profile add NAME --store PATH|URL -- COMMAND ARGUMENTS',
    );
}

async function show(session: Session, name: string | undefined): Promise<void> {
  const { config } = session.settings;
  const wanted = name ?? config.defaultProfile;
  if (wanted === null)
    throw new KeysError('missing_input', 'missing: a profile (there is no default)', 'unlockos-keys profile show NAME');
  const profile = find(config, wanted);
  const view = viewOf(config);
  const lines = Object.entries(view.json(profile)).map(([key, value]) => {
    const text = value === null ? '—' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    return `${key.padEnd(14)}${safeText(text)}\n`;
  });
  await session.out.print([profile], view, { single: true, table: async () => lines.join('') });
}

async function add(session: Session, flags: AddFlags, name: string, command: string[]): Promise<void> {
  if (session.flags.store === undefined)
    throw new KeysError('missing_input', 'missing: a store', `unlockos-keys profile add ${name} --store PATH|URL`);
  if (flags.defaultExpires !== undefined) parseExpiry(flags.defaultExpires, session.now);
  const change = (document: Editable, config: Config) => {
    if (config.profiles.has(name) && !flags.force)
      throw new KeysError(
        'conflict',
        `profile ${quoted(name)} already exists`,
        'pass --force to replace it, or choose another name',
      );
    document.setIn(['profiles', name], document.createNode(entryOf(session, flags, command, document)));
    if (flags.use) document.set('default', name);
  };
  const config = await edit(session, change, `Added profile ${name}`);
  if (!session.dryRun)
    session.out.note(
      config.defaultProfile === name
        ? 'It is the default. To check it: unlockos-keys doctor'
        : `To check it: unlockos-keys doctor -p ${name}. To make it the default: unlockos-keys profile use ${name}`,
    );
  await answer(session, find(config, name), config);
}

/** A program in the current directory gets its full path, so that the profile means the same program everywhere. */
function commandFrom([program = '', ...args]: readonly string[], cwd: string): string[] {
  return [/[/\\]/.test(program) ? path.resolve(cwd, program) : program, ...args];
}

/** The entry of the file for these flags. The session has validated the store. */
function entryOf(session: Session, flags: AddFlags, command: string[], document: Editable): Record<string, unknown> {
  const defaults = {
    ...(flags.defaultOutput !== undefined && { output: flags.defaultOutput }),
    ...(flags.defaultExpires !== undefined && { expires: flags.defaultExpires }),
    ...(flags.defaultRateLimit !== undefined && { rateLimit: flags.defaultRateLimit }),
  };
  const oneLine = (value: unknown) => document.createNode(value, { flow: true });
  return {
    store: session.store.value,
    ...(flags.tokenFile !== undefined && { tokenFile: path.resolve(session.ctx.cwd, flags.tokenFile) }),
    ...(flags.pepperFile !== undefined && { pepperFile: path.resolve(session.ctx.cwd, flags.pepperFile) }),
    ...(command.length > 0 && { tokenCommand: oneLine(commandFrom(command, session.ctx.cwd)) }),
    ...(flags.protected && { protected: true }),
    ...(flags.testOnly && { testOnly: true }),
    ...(session.flags.allowHttp && { allowHttp: true }),
    ...(Object.keys(defaults).length > 0 && { defaults: oneLine(defaults) }),
  };
}
