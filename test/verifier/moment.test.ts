import { expect, test } from 'vitest';
import { age } from '../../src/verifier/moment.js';

test.each([
  ['both clocks go on', { wall: 1030, real: 530 }, 30],
  ['the time of day was set back', { wall: 400, real: 530 }, 30],
  ['the time of day was set forward', { wall: 9000, real: 530 }, 8000],
  ['the machine slept', { wall: 1600, real: 500 }, 600],
  ['it is the same moment', { wall: 1000, real: 500 }, 0],
  ['it is earlier', { wall: 990, real: 495 }, -5],
])('the age of something where %s', (_, at, ms) => {
  expect(age({ wall: 1000, real: 500 }, at)).toBe(ms);
});
