import { expect, test } from 'vitest';
import { HealthCheck } from '../../src/http-server/health.js';

test('asks the store at most twice per second, also when it does not answer', async () => {
  const clock = { now: 0 };
  let pings = 0;
  let down = false;
  const ping = async () => {
    pings += 1;
    if (down) throw new Error('down');
  };
  const health = new HealthCheck(ping, () => clock.now);
  expect(await Promise.all([health.storeAnswers(), health.storeAnswers()])).toEqual([true, true]);
  down = true;
  clock.now += 500;
  expect([await health.storeAnswers(), pings]).toEqual([true, 1]);
  clock.now += 1;
  expect([await health.storeAnswers(), pings]).toEqual([false, 2]);
  down = false;
  expect([await health.storeAnswers(), pings]).toEqual([false, 2]);
});
