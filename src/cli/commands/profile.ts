import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { parseExpiry } from '../../domain/expiry.js';
import { didYouMean } from '../../domain/scopes.js';
import { quoted, safeText } from '../../domain/text.js';
import { examples, type Register } from '../command.js';
import type { Config, Profile } from '../config/config-file.js';
import type { View } from '../output/formats.js';
import type { Session } from '../session.js';

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
  return {
    fields: [
      'name',
      'default',
      'store',
      'tokenFile',
      'tokenCommand',
      'pepperFile',
      'protected',
      'testOnly',
      'allowHttp',
      'defaults',
    ],
    valueField: 'name',
    json: ({
      name,
      store,
      tokenFile,
      tokenCommand,
      pepperFile,
      protected: guarded,
      testOnly,
      allowHttp,
      defaults,
    }) => ({
      name,
      default: name === defaultProfile,
      store,
      tokenFile,
      tokenCommand,
      pepperFile,
      protected: guarded,
      testOnly,
      allowHttp,
      defaults,
    }),
    columns: [
      { header: 'NAME', field: 'name', text: ({ name }) => (name === defaultProfile ? `${name} *` : name) },
      { header: 'STORE', field: 'store', text: ({ store }) => store },
      { header: 'TOKEN FROM', field: 'tokenFile', text: token },
      { header: 'GUARDS', field: 'protected', text: guards },
    ],
  };
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
      ? 'none was made yet: unlockos-keys profile add NAME --store URL'
      : `there are: ${names.join(', ')}`,
  );
}

export const registerProfile: Register = (program, run) => {
  const profile = program
    .command('profile')
    .summary('named stores: list, show, add, use, remove')
    .description(
      'Named stores, with where their tokens come from, guards and defaults. -p NAME uses one for a command.',
    );

  profile
    .command('list', { isDefault: true })
    .allowExcessArguments()
    .summary('the profiles; * is the default')
    .description('List the profiles. The one with * is meant when none is named.')
    .addHelpText('after', examples('profile list', 'profile list --json'))
    .action(
      run(async (session, _flags: object) => {
        const { config } = session.settings;
        const empty = 'No profiles yet. Make one: unlockos-keys profile add NAME --store URL';
        await session.print([...config.profiles.values()], viewOf(config), { empty });
      }),
    );

  profile
    .command('show')
    .summary('one profile in full; never a token')
    .description('Show one profile, by default the default one. A token is never shown: only where it comes from.')
    .argument('[name]', 'a profile')
    .addHelpText('after', examples('profile show prod', 'profile show --json'))
    .action(run((session, _flags: object, name?: string) => show(session, name)));

  profile
    .command('add')
    .summary('name a store')
    .description(
      'Name a store, with --store. Words after -- are the command that prints its token. The file keeps its comments, and may be edited by hand.',
    )
    .argument('<name>', 'letters, digits, dot, dash and underscore')
    .argument('[command...]', 'after --: the command that prints the token')
    .option('--token-file <file>', 'a file with the token, that only you can read')
    .option('--pepper-file <file>', 'a file with the peppers for its keys: see store hash')
    .option('--protected', "disabling and deleting want the key's name typed")
    .option('--test-only', 'refuse to make or change live keys')
    .option('--default-output <format>', 'the output format where -o does not say')
    .option('--default-expires <when>', 'the expiry where --expires does not say, e.g. 90d')
    .option('--default-rate-limit <n/unit>', 'the rate limit where --rate-limit does not say')
    .option('--use', 'make it the default')
    .option('--force', 'replace a profile of this name')
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
    .description(
      'Make a profile the default: the one that is meant when neither a flag nor the environment names a store.',
    )
    .argument('<name>', 'a profile')
    .addHelpText('after', examples('profile use staging', 'profile use prod --dry-run'))
    .action(
      run(async (session, _flags: object, name: string) => {
        const change = (document: Editable, config: Config) => {
          find(config, name);
          document.set('default', name);
        };
        const config = await edit(session, change, `${name} is the default profile now`);
        await answer(session, find(config, name), config);
      }),
    );

  profile
    .command('remove')
    .summary('forget a profile; its store stays')
    .description('Forget a profile. Its store is not touched.')
    .argument('<name>', 'a profile')
    .addHelpText('after', examples('profile remove old', 'profile remove old --yes'))
    .action(
      run(async (session, _flags: object, name: string) => {
        const profile = find(session.settings.config, name);
        if (!session.dryRun)
          await session.confirm(`This forgets profile ${quoted(name)} (${profile.store}); the store stays`, {
            command: `unlockos-keys profile remove ${name} --yes`,
          });
        const change = (document: Editable, config: Config) => {
          find(config, name);
          document.deleteIn(['profiles', name]);
          if (config.defaultProfile === name) document.delete('default');
        };
        await answer(session, profile, await edit(session, change, `Forgot profile ${name}`));
      }),
    );
};

/** What a change needs of the document of the YAML package. */
interface Editable {
  set(key: string, value: unknown): void;
  setIn(path: string[], value: unknown): void;
  delete(key: string): boolean;
  deleteIn(path: string[]): boolean;
  createNode(value: unknown, options?: { flow: boolean }): unknown;
}

/** What the file says after the change; in a dry run, what it would say. */
async function edit(
  session: Session,
  change: (document: Editable, config: Config) => void,
  said: string,
): Promise<Config> {
  const { editConfig } = await import('../config/edit.js');
  const config = await editConfig(session.ctx, change, { dryRun: session.dryRun });
  if (session.dryRun) session.remark(`Dry run: would change ${config.file}`);
  else session.note(`${said} (${config.file})`);
  return config;
}

async function answer(session: Session, profile: Profile, config: Config): Promise<void> {
  if (session.format !== 'table') await session.print([profile], viewOf(config), { single: true });
}

/**
 * A word too many must not become a command that is run later, or a token that was passed by mistake be written down: the words of the
 * command stand after `--`, which commander takes away.
 */
function refuseUndashedWords(command: { args: string[]; parent: unknown }): void {
  let root = command as { parent: unknown; rawArgs?: string[] };
  while (root.parent) root = root.parent as typeof root;
  const words = root.rawArgs ?? [];
  const dashed = words.includes('--') ? words.length - words.indexOf('--') - 1 : 0;
  if (command.args.length - 1 > dashed)
    throw new KeysError(
      'usage',
      'profile add takes one name; the words of a token command stand after --',
      'unlockos-keys profile add NAME --store PATH|URL -- COMMAND ARGUMENTS',
    );
}

async function show(session: Session, name: string | undefined): Promise<void> {
  const { config } = session.settings;
  const wanted = name ?? config.defaultProfile;
  if (wanted === null)
    throw new KeysError('missing_input', 'which profile? none is the default', 'unlockos-keys profile show NAME');
  const profile = find(config, wanted);
  const view = viewOf(config);
  const lines = Object.entries(view.json(profile)).map(([key, value]) => {
    const text = value === null ? '—' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    return `${key.padEnd(14)}${safeText(text)}\n`;
  });
  await session.print([profile], view, { single: true, table: async () => lines.join('') });
}

async function add(session: Session, flags: AddFlags, name: string, command: string[]): Promise<void> {
  if (session.flags.store === undefined)
    throw new KeysError('missing_input', 'which store?', `unlockos-keys profile add ${name} --store PATH|URL`);
  if (flags.defaultExpires !== undefined) parseExpiry(flags.defaultExpires, session.now);
  const change = (document: Editable, config: Config) => {
    if (config.profiles.has(name) && !flags.force)
      throw new KeysError(
        'conflict',
        `a profile ${quoted(name)} exists`,
        'pass --force to replace it, or another name',
      );
    document.setIn(['profiles', name], document.createNode(entryOf(session, flags, command, document)));
    if (flags.use) document.set('default', name);
  };
  const config = await edit(session, change, `Added profile ${name}`);
  if (!session.dryRun)
    session.note(
      config.defaultProfile === name
        ? 'It is the default. Check it: unlockos-keys doctor'
        : `Check it: unlockos-keys doctor -p ${name}; make it the default: unlockos-keys profile use ${name}`,
    );
  await answer(session, find(config, name), config);
}

/** The lines of the file that stand for these flags. The session has read the store, and refused what is none. */
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
    ...(command.length > 0 && { tokenCommand: oneLine(command) }),
    ...(flags.protected && { protected: true }),
    ...(flags.testOnly && { testOnly: true }),
    ...(session.flags.allowHttp && { allowHttp: true }),
    ...(Object.keys(defaults).length > 0 && { defaults: oneLine(defaults) }),
  };
}
