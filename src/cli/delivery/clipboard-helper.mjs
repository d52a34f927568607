// Started by clipboard.ts in a session of its own. With a number: copies its stdin, says so, waits that long, and clears the clipboard if it is
// still ours; keeps a hash of the text, not the text. With `probe`: says whether a copy could be made, and changes nothing.
// Plain JavaScript, because it is started from a file and the tests run the sources.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const { default: clipboard } = await import('clipboardy').catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  process.stdout.write('no clipboardy\n'); // it is an optional package
  process.exit();
});

const digest = (text) => createHash('sha256').update(text).digest('hex');

async function copyStdin() {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk;
  await clipboard.write(text);
  return digest(text);
}

/** What other systems bring along need not be looked for; and reading there is slow. */
const mustLook = process.platform === 'linux' && !process.env.WSL_DISTRO_NAME;

/** Reads with the tool that would copy, and forgets what it read. A clipboard that holds no text (but a picture) works, too. */
async function probe() {
  try {
    if (mustLook) await clipboard.read();
    process.stdout.write('works\n');
  } catch (error) {
    const { message = '' } = error;
    const why = /display server|display/i.test(message)
      ? 'there is no display'
      : /find the .* binary|fallback/i.test(message)
        ? 'no clipboard tool is installed'
        : null;
    process.stdout.write(why === null ? 'works\n' : `${why}\n`);
  }
}

process.stdout.on('error', () => {}); // the tool may be gone when we answer; the clearing still matters
if (process.argv[2] === 'probe') await probe();
else {
  const ours = await copyStdin();
  process.stdout.write('copied\n');
  await sleep(Number(process.argv[2]));
  if (digest(await clipboard.read()) === ours) await clipboard.write('');
}
