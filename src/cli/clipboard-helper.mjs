// Started by clipboard.ts in a session of its own: copies its stdin, says so, waits, and clears the clipboard if it is still ours.
// Keeps a hash of the text, not the text. Plain JavaScript, because it is started from a file and the tests run the sources.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import clipboard from 'clipboardy';

const digest = (text) => createHash('sha256').update(text).digest('hex');

async function copyStdin() {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk;
  await clipboard.write(text);
  return digest(text);
}

process.stdout.on('error', () => {}); // the tool may be gone when we answer; the clearing still matters
const ours = await copyStdin();
process.stdout.write('copied\n');
await sleep(Number(process.argv[2]));
if (digest(await clipboard.read()) === ours) await clipboard.write('');
