import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, expect, test } from 'vitest';
import { make } from '../support/keyrings.js';
import { LOCAL_ENGINES } from '../support/stores.js';
import { forged, scene, verdictOf } from '../support/verifiers.js';

const SECRETS = 20_000;
const AT_ONCE = 50;

describe.each(LOCAL_ENGINES)('on %s', (engine) => {
  test('20,000 wrong secrets for a known id never reach bcrypt, take microseconds each, and hold nobody up', async () => {
    const { keyring, verifier } = await scene(engine);
    const { keyString } = await make(keyring, 'a');
    expect(await verdictOf(verifier, keyString)).toBe('valid');
    const wrong = Array.from({ length: SECRETS }, () => forged(keyString));
    const lag = monitorEventLoopDelay({ resolution: 1 });
    lag.enable();
    const start = process.cpuUsage();
    for (let i = 0; i < SECRETS; i += AT_ONCE) {
      const answers = await Promise.all(wrong.slice(i, i + AT_ONCE).map((each) => verdictOf(verifier, each)));
      expect(new Set(answers)).toEqual(new Set(['invalid']));
      await new Promise(setImmediate);
    }
    const { user, system } = process.cpuUsage(start);
    lag.disable();
    expect(verifier.counters.bcrypt).toBe(1);
    expect((user + system) / SECRETS).toBeLessThan(500); // microseconds of the processor; bcrypt takes 50,000
    expect(lag.percentile(50) / 1e6).toBeLessThan(50);
    expect(await verdictOf(verifier, keyString)).toBe('valid');
  });
});
