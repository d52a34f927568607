import { KeysError } from '../../domain/errors.js';
import { MODES } from '../../domain/key-string.js';
import { parseLabels } from '../../domain/labels.js';
import { safeJson } from '../../domain/text.js';
import { collect, examples, type Register } from '../command.js';
import { oneOf } from '../flags.js';
import { keyView } from '../output/views.js';
import type { Session } from '../session.js';

interface ExportFlags {
  readonly name: string;
  readonly mode?: string;
  readonly label?: string[];
}

export const registerExport: Register = (program, run) => {
  program
    .command('export')
    .summary('what there is, as a manifest (YAML, JSON) or a table (CSV); no secrets')
    .description(
      'Print the keys as a manifest that apply reads: YAML, or JSON with -o json. With -o csv, tsv or jsonl, all public fields, one key a line. Neither holds a secret or a hash: no store gives those away. Keys that were rotated and are on their way out are left out of a manifest.',
    )
    .option('--name <name>', 'the name of the manifest', 'exported')
    .option('--mode <mode>', 'only live or test keys')
    .option('-l, --label <name=value>', 'only keys with this label; repeat for several', collect)
    .addHelpText(
      'after',
      examples(
        'export > keys.yaml                         # then: apply -f keys.yaml --adopt',
        'export --label team=checkout --name checkout -o json',
        'export -o csv > keys.csv',
      ),
    )
    .action(run(exportKeys));
};

async function exportKeys(session: Session, flags: ExportFlags): Promise<void> {
  const mode = oneOf('--mode', flags.mode, MODES);
  const query = { mode, labels: parseLabels(flags.label ?? []), sort: 'created' } as const;
  const { keys } = await (await session.keyring()).list(query);
  if (!['table', 'yaml', 'json'].includes(session.format)) return session.print(keys, keyView(session.now));
  if (session.flags.fields !== undefined)
    throw new KeysError('usage', 'a manifest has no fields to choose', 'use --fields with -o csv, tsv or jsonl');
  const { manifestDocument } = await import('../../manifest/write.js');
  const lasting = keys.filter(({ rotatedTo }) => rotatedTo === null);
  const document = manifestDocument(flags.name, lasting);
  if (session.format === 'json') session.ctx.stdout.write(`${safeJson(document, 2)}\n`);
  else session.ctx.stdout.write(await (await import('../output/yaml-text.js')).safeYaml(document));
  if (lasting.length < keys.length) session.note(`${keys.length - lasting.length} rotated keys were left out`);
}
