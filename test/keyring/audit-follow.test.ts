import { copyFileSync, renameSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ChainedEvent } from '../../src/domain/audit-side.js';
import type { FollowOptions } from '../../src/keyring/audit-follow.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { openStore } from '../../src/store/open.js';
import { faultyProxy } from '../support/faulty-proxy.js';
import { fillLog } from '../support/fill-log.js';
import { another, freshKeyring, make } from '../support/keyrings.js';
import {
  DEFAULT_ENGINE,
  ENGINES,
  type EngineName,
  keyringOver,
  LOCAL_ENGINES,
  options,
  rawDatabase,
  scratch,
} from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

const LOOKS = 50;

/** Follows the log of a store through a connection of its own, and tells when a row has arrived. */
async function follower(
  location: string,
  engine: EngineName,
  from: { seq: number; hash?: string } = { seq: 0 },
  opened: () => unknown = () => {},
) {
  const store = await openStore(location, options(engine, { create: false, follow: true }));
  onTestFinished(() => store.close());
  await opened();
  const ending = new AbortController();
  let looked = () => {};
  const version = store.version.bind(store);
  store.version = () => {
    looked();
    return version();
  };
  const events: ChainedEvent[] = [];
  const trouble: (string | null)[] = [];
  let arrived = () => {};
  const follow: FollowOptions = {
    intervalMs: 100,
    signal: ending.signal,
    onTrouble: (error) => {
      trouble.push(error?.code ?? null);
      arrived();
    },
  };
  const done = keyringOver(store).auditFollow(
    from,
    (page) => {
      events.push(...page);
      arrived();
    },
    follow,
  );
  done.catch(() => {});
  /** What is waited for was done before, so that the next looks find it. */
  const until = (is: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      let left = LOOKS;
      looked = () => --left < 0 && reject(new Error(`not found in ${LOOKS} looks`));
      arrived = () => is() && resolve();
      done.then(resolve, reject);
      arrived();
    });
  const end = async () => {
    ending.abort();
    await done;
  };
  /** Waits for so many looks more. */
  const looks = (count: number) =>
    new Promise<void>((resolve, reject) => {
      let left = count;
      looked = () => --left < 0 && resolve();
      done.then(resolve, reject);
    });
  /** Rejects with what ends it. */
  const over = () => until(() => false);
  return {
    store,
    events,
    trouble,
    over,
    until,
    looks,
    end,
    row: (seq: number) => until(() => events.at(-1)?.seq === seq),
  };
}

const positionOf = (event: ChainedEvent | undefined) => event && { seq: event.seq, hash: event.hash };

async function disableAll(keyring: Keyring, names: readonly string[]) {
  for (const name of names) {
    await keyring.disable(name);
    await keyring.enable(name);
  }
}

describe.each(ENGINES)('%s', (engine) => {
  test('two followers have each row of two writers once and in order, and go on where they ended', async () => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'a');
    await make(keyring, 'b');
    const other = await another(keyring, engine);
    const first = await follower(keyring.location, engine);
    await first.row(3);
    const second = await follower(keyring.location, engine, { seq: 2 });
    await disableAll(keyring, ['a', 'a', 'a']);
    await first.end();
    await disableAll(other, ['b', 'b']);
    const resumed = await follower(keyring.location, engine, positionOf(first.events.at(-1)));
    await disableAll(keyring, ['a']);
    const all = await keyring.auditList();
    await Promise.all([resumed.row(all.length), second.row(all.length)]);
    expect([...first.events, ...resumed.events]).toEqual(all);
    expect(second.events).toEqual(all.slice(2));
    await Promise.all([resumed.end(), second.end()]);
  });

  test('a log that went back or was rewritten ends it, before any row of it', async () => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'a');
    const { events, over, row } = await follower(keyring.location, engine);
    await row(2);
    const raw = await rawDatabase(keyring.location, engine);
    await unguarded(raw, engine, 'delete from audit_events where seq = 2');
    await expect(over()).rejects.toMatchObject({
      code: 'anchor_missing',
      message: expect.stringContaining('it ends in row 1:'),
    });
    expect(events).toHaveLength(2);
  });
});

describe.each(LOCAL_ENGINES)('%s, the file', (engine) => {
  test('a store that is away for a while is asked again; a row is neither lost nor doubled', async () => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'a');
    const { events, trouble, until, looks, end, row } = await follower(keyring.location, engine);
    await row(2);
    await keyring.close();
    const away = `${scratch()}/away.db`;
    for (const suffix of ['-wal', '-shm', ''])
      try {
        renameSync(`${keyring.location}${suffix}`, `${away}${suffix}`);
      } catch {}
    await until(() => trouble.length === 1);
    await looks(3);
    expect(trouble).toHaveLength(1);
    const moved = await openStore(away, options(engine, { create: false }));
    await keyringOver(moved).disable('a');
    await moved.close();
    copyFileSync(away, keyring.location);
    await row(3);
    expect(trouble).toEqual([expect.stringMatching(/^store_/), null]);
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    await end();
  });

  test('a restored backup ends it when it lacks the last row, and is followed when it has it', async () => {
    const keyring = await freshKeyring(engine);
    await make(keyring, 'a');
    const [early, late] = [`${scratch()}/early.db`, `${scratch()}/late.db`];
    await keyring.storeBackup(early);
    await keyring.disable('a');
    await keyring.storeBackup(late);
    const { events, over, row } = await follower(keyring.location, engine);
    await row(3);
    const restore = async (file: string) => {
      const backup = await openStore(file, options(engine, { create: false }));
      await keyringOver(backup).storeRestore(keyring.location);
      await backup.close();
    };
    await restore(late);
    await row(4);
    expect(events.at(-1)?.action).toBe('store.restore');
    await restore(early);
    await expect(over()).rejects.toMatchObject({ code: 'anchor_missing' });
    expect(events).toHaveLength(4);
  });
});

test('a server that is away and comes back is said once, and costs no row', async () => {
  const keyring = await freshKeyring('sqld');
  await make(keyring, 'a');
  const proxy = await faultyProxy(keyring.location);
  const { events, trouble, until, end, row } = await follower(proxy.url, 'sqld');
  await row(2);
  await proxy.refuse();
  await until(() => trouble.length === 1);
  await disableAll(keyring, ['a']);
  await proxy.listen();
  await row(4);
  expect(trouble).toEqual(['store_unavailable', null]);
  expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  await proxy.refuse();
  await until(() => trouble.length === 3);
  await end();
});

test('a log of several pages is handed over whole, although nothing changes meanwhile', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  await fillLog(keyring.location, 2500);
  const { events, end, row } = await follower(keyring.location, DEFAULT_ENGINE);
  await row(2501);
  await end();
  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 2501 }, (_, i) => i + 1));
});

test('what the taker throws ends it, whatever it is', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const failure = Object.assign(new Error('EPIPE'), { code: 'EPIPE' });
  const take = () => {
    throw failure;
  };
  await expect(keyring.auditFollow({ seq: 0 }, take)).rejects.toBe(failure);
});

test('a taker that never ends, and a store that never answered, do not hold up the end', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const ending = new AbortController();
  const take = () => {
    ending.abort();
    return new Promise(() => {});
  };
  await keyring.auditFollow({ seq: 0 }, take, { signal: ending.signal });
  await keyring.auditFollow({ seq: 0 }, take, { signal: AbortSignal.abort() });
});

test('while nothing changes no page is read, and a page without events is handed to nobody', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  await make(keyring, 'a');
  const { store, row, looks, end } = await follower(keyring.location, DEFAULT_ENGINE);
  await row(2);
  await looks(2);
  let pages = 0;
  const page = store.audit.page.bind(store.audit);
  store.audit.page = (...args) => {
    pages += 1;
    return page(...args);
  };
  await looks(3);
  expect(pages).toBe(0);
  await end();
  const ending = new AbortController();
  const taken: number[] = [];
  const take = (events: readonly ChainedEvent[]) => {
    taken.push(events.length);
    ending.abort();
  };
  const following = keyring.auditFollow({ seq: 0 }, take, {
    query: { action: 'key.disable' },
    intervalMs: 100,
    signal: ending.signal,
  });
  await keyring.disable('a');
  await following;
  expect(taken).toEqual([1]);
});

test('a store that is away later does not end it, whoever is told', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  await make(keyring, 'a');
  await keyring.close();
  const away = `${scratch()}/away.db`;
  const store = await openStore(keyring.location, options(DEFAULT_ENGINE, { create: false, follow: true }));
  onTestFinished(() => store.close());
  const ending = new AbortController();
  const seen: number[] = [];
  const take = (events: readonly ChainedEvent[]) => {
    seen.push(...events.map(({ seq }) => seq));
    if (seen.includes(2)) renameSync(keyring.location, away);
  };
  let refusals = 0;
  const version = store.version.bind(store);
  store.version = () => {
    try {
      return version();
    } catch (error) {
      refusals += 1;
      if (refusals === 2) renameSync(away, keyring.location);
      throw error;
    } finally {
      if (refusals === 2) setImmediate(() => ending.abort());
    }
  };
  await keyringOver(store).auditFollow({ seq: 0 }, take, { intervalMs: 100, signal: ending.signal });
  expect(seen).toEqual([1, 2]);
});

test('a store that does not answer at the beginning ends it', async () => {
  const keyring = await freshKeyring('sqld');
  const proxy = await faultyProxy(keyring.location);
  const { over } = await follower(proxy.url, 'sqld', { seq: 0 }, () => proxy.refuse());
  await expect(over()).rejects.toMatchObject({ code: 'store_unavailable' });
});

test('it ends at once, whether it waits for the taker or for the next look', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  for (const answer of [() => new Promise(() => {}), () => undefined]) {
    const ending = new AbortController();
    const take = () => {
      setImmediate(() => ending.abort());
      return answer();
    };
    await keyring.auditFollow({ seq: 0 }, take, { signal: ending.signal, intervalMs: 3_600_000 });
  }
});
