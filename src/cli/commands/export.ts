import { KeysError } from '../../domain/errors.js';
import { MODES } from '../../domain/key-string.js';
import { parseLabels } from '../../domain/labels.js';
import { safeJson } from '../../domain/text.js';
import { examples, ONLY_LABEL, ONLY_MODE, type Register } from '../command.js';
import { keyView } from '../output/key-view.js';
import type { Session } from '../session.js';
import { oneOf } from '../settings/global-flags.js';

interface ExportFlags {
  readonly name: string;
  readonly mode?: string;
  readonly label?: string[];
}

export const registerExport: Register = (program, run) => {
  program
    .command('export')
    .summary('print the keys as a manifest (YAML, JSON) or as CSV; no secrets')
    .description(
      'Print the keys as a manifest that apply reads: YAML, or JSON with -o json. With -o csv, tsv or jsonl, print all public fields, one key per line. The output never holds a secret or a hash. A manifest leaves out keys that were rotated.',
    )
    .option('--name <name>', 'the name of the manifest', 'exported')
    .option(...ONLY_MODE)
    .option(...ONLY_LABEL)
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
  if (!['table', 'yaml', 'json'].includes(session.format)) return session.out.print(keys, keyView(session.now));
  if (session.flags.fields !== undefined)
    throw new KeysError('usage', '--fields does not go with a manifest', 'use --fields with -o csv, tsv or jsonl');
  const { manifestDocument } = await import('../../manifest/write.js');
  const lasting = keys.filter(({ rotatedTo }) => rotatedTo === null);
  const document = manifestDocument(flags.name, lasting);
  if (session.format === 'json') session.ctx.stdout.write(`${safeJson(document, 2)}\n`);
  else session.ctx.stdout.write(await (await import('../output/yaml-text.js')).safeYaml(document));
  const rotated = keys.length - lasting.length;
  if (rotated > 0) session.out.note(`${rotated} rotated ${rotated === 1 ? 'key is' : 'keys are'} left out`);
}
