import { assertScopeForm } from '../../domain/scopes.js';
import { examples, operationOption, type Register } from '../command.js';
import { scopeView } from '../output/views.js';

export const registerScopes: Register = (program, run) => {
  const scopes = program
    .command('scopes')
    .summary('the catalogue of scopes: list, add, retire')
    .description('The catalogue of scopes that a key can have.');

  scopes
    .command('list', { isDefault: true })
    .allowExcessArguments()
    .summary('list every scope, by category')
    .description('List the catalogue by category.')
    .addHelpText('after', examples('scopes list', 'scopes list -o value'))
    .action(
      run(async (session, _flags: object) => {
        const { source } = session.store; // a named store must exist; the default one is created on first use
        const catalogue = await (await session.keyring({ create: source === 'default' })).scopes();
        const categories = [...new Set(catalogue.map((entry) => entry.category))];
        await session.out.print(
          categories.flatMap((category) => catalogue.filter((entry) => entry.category === category)),
          scopeView,
        );
      }),
    );

  operationOption(scopes.command('add'))
    .summary('add a scope to the catalogue')
    .description('Add a scope to the catalogue. Existing keys do not get it.')
    .argument('<scope>', 'category:action, e.g. plan:delete')
    .option('--category-label <text>', 'the label of a new category, e.g. "Check-in"')
    .addHelpText('after', examples('scopes add plan:delete', 'scopes add report:read --category-label Reports'))
    .action(
      run(async (session, flags: { categoryLabel?: string }, scope: string) => {
        assertScopeForm(scope);
        const keyring = await session.keyring({ create: !session.dryRun });
        session.noteStore();
        if (session.dryRun) return session.out.remark(`Dry run: would add ${scope}`);
        const added = await keyring.addScope(scope, flags.categoryLabel, { operationId: session.operation.id });
        session.out.note(`Added ${added.scope} to ${added.categoryLabel}`);
        if (session.format !== 'table') await session.out.print([added], scopeView, { single: true });
      }),
    );

  operationOption(scopes.command('retire'))
    .summary('retire a scope: new keys cannot have it, existing keys keep it')
    .description('Retire a scope: new keys cannot have it, existing keys keep it. This cannot be undone.')
    .argument('<scope>', 'a scope of the catalogue')
    .addHelpText('after', examples('scopes retire plan:update', 'scopes retire plan:update --dry-run'))
    .action(
      run(async (session, _flags: object, scope: string) => {
        assertScopeForm(scope);
        const keyring = await session.keyring();
        session.noteStore();
        if (session.dryRun) return session.out.remark(`Dry run: would retire ${scope}`);
        const { scope: retired, changed } = await keyring.retireScope(scope, { operationId: session.operation.id });
        session.out.note(changed ? `Retired ${scope}` : `${scope} is already retired`);
        if (session.format !== 'table') await session.out.print([retired], scopeView, { single: true });
      }),
    );
};
