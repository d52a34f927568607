import { describe, expect, test } from 'vitest';
import { assertOnlyChange, withVariable } from '../../src/cli/delivery/dotenv-text.js';
import { refusal } from '../support/refusal.js';

/** What a file with these bytes holds, one character for each. */
const bytes = (text: string) => Buffer.from(text).toString('latin1');
const MARK = bytes('\ufeff');

describe('a variable that the file does not have', () => {
  test.each([
    ['an empty file', '', 'K=v\n'],
    ['a byte-order mark alone', MARK, `${MARK}K=v\n`],
    ['a line with its end', 'A=1\n', 'A=1\nK=v\n'],
    ['a line without its end', 'A=1', 'A=1\nK=v\n'],
    ['line ends of Windows', 'A=1\r\nB=2\r\n', 'A=1\r\nB=2\r\nK=v\r\n'],
    ['line ends of Windows, the last one missing', 'A=1\r\nB=2', 'A=1\r\nB=2\r\nK=v\r\n'],
    ['mixed line ends', 'A=1\r\nB=2\n', 'A=1\r\nB=2\nK=v\n'],
    ['a comment that names it', '# K=1\n', '# K=1\nK=v\n'],
    ['longer and shorter names', 'K2=1\nXK=2\nk=3\n', 'K2=1\nXK=2\nk=3\nK=v\n'],
    ['its name inside quotes', 'A="\nK=1\n"\n', 'A="\nK=1\n"\nK=v\n'],
    ['its name inside single quotes', "A='\nK=1\n'\n", "A='\nK=1\n'\nK=v\n"],
    ['its name inside backticks', 'A=`\nK=1\n`\n', 'A=`\nK=1\n`\nK=v\n'],
    ['a quote inside a value', "A=it's\n", "A=it's\nK=v\n"],
    ['a quote in a comment', "# it's\n", "# it's\nK=v\n"],
    ['a backslash at the end of a comment', '# a \\\n', '# a \\\nK=v\n'],
    ['a backslash at the end of a comment behind a name', 'A= # a \\\n', 'A= # a \\\nK=v\n'],
    ['a backslash inside a line', 'A=a\\b\n', 'A=a\\b\nK=v\n'],
    ['two less-than signs that begin no value', 'A=a<<b\n# <<c\n', 'A=a<<b\n# <<c\nK=v\n'],
    ['a backslash at the end of a comment that is indented', '  # a \\\n', '  # a \\\nK=v\n'],
    ['bytes that are not UTF-8', 'A=\u00ff\u00fe\n', 'A=\u00ff\u00fe\nK=v\n'],
  ])('is added at the end: %s', (_, before, after) => {
    expect(withVariable(before, 'K', 'v')).toBe(after);
  });
});

describe('a variable that the file has', () => {
  test.each([
    ['first', 'K=old\nA=1\n', 'K=v\nA=1\n'],
    ['in the middle', 'A=1\nK=old\nB=2\n', 'A=1\nK=v\nB=2\n'],
    ['last, without a line end', 'A=1\nK=old', 'A=1\nK=v\n'],
    ['after a byte-order mark', `${MARK}K=old\n`, `${MARK}K=v\n`],
    ['with line ends of Windows', 'A=1\r\nK=old\r\nB=2\r\n', 'A=1\r\nK=v\r\nB=2\r\n'],
    ['without a value', 'K=\nA=1\n', 'K=v\nA=1\n'],
    ['with blanks', ' K =  old \nA=1\n', 'K=v\nA=1\n'],
    ['exported', 'export K=old\nA=1\n', 'export K=v\nA=1\n'],
    ['with export as its value', 'K=export \nA=1\n', 'K=v\nA=1\n'],
    ['quoted', 'K="old"\nA=1\n', 'K=v\nA=1\n'],
    ['quoted over lines', 'K="o\nA=2\nd"\nA=1\n', 'K=v\nA=1\n'],
    ['quoted over lines, with a comment behind', "K='o\nd' # why\nA=1\n", 'K=v\nA=1\n'],
    ['before a line that is no assignment, and begins with a quote', "K=old\n'a\n", "K=v\n'a\n"],
    ['before a line that is no assignment, and begins as a heredoc', 'K=old\n<<A\n', 'K=v\n<<A\n'],
    ['behind a path of Windows in single quotes', "A='C:\\'\nK=old\n", "A='C:\\'\nK=v\n"],
    ['twice, with line ends of Windows', 'K=1\r\nA=1\r\nK=2\r\nB=2\r\n', 'K=v\r\nA=1\r\nB=2\r\n'],
    ['after an empty line', '\n\r\nK=old\n', '\n\r\nK=v\n'],
    ['twice', 'K=1\nA=1\nK=2\nB=2\n', 'K=v\nA=1\nB=2\n'],
    ['twice, the last one without a line end', 'K=1\nA=1\nexport K=2', 'K=v\nA=1\n'],
    ['three times in a row', 'K=1\nK=2\nK=3\n', 'K=v\n'],
  ])('is replaced in its place, once: %s', (_, before, after) => {
    expect(withVariable(before, 'K', 'v')).toBe(after);
  });
});

describe('a file that is refused, with the place', () => {
  test.each([
    ['UTF-16, little end first', Buffer.from('\ufeffA=1\n', 'utf16le').toString('latin1'), /not UTF-8 text/],
    ['UTF-16, big end first', '\u00fe\u00ff\u0000A', /not UTF-8 text/],
    ['UTF-16 without a NUL byte', '\u00ff\u00feAB', /not UTF-8 text/],
    ['a NUL byte', 'A=1\n\0', /NUL byte/],
    ['a quote without an end', 'A=1\nB="x\nK=2\n', /the quote that begins on line 2 has no end/],
    ['a quote whose end is escaped', 'A="x\\"\nB=2\n', /the quote that begins on line 1 has no end/],
    ['a single quote without an end', "A=1\n\nB='x\n", /the quote that begins on line 3 has no end/],
    ['a backtick without an end', 'A=`x\n', /the quote that begins on line 1 has no end/],
    ['a heredoc', 'A=1\nB=<<EOF\nK=1\nEOF\n', /line 2 begins a heredoc/],
    ['a line that goes on', 'A=1\nB=x\\\nK=1\n', /line 2 ends with a backslash/],
    ['a line of Windows that goes on', 'B=x\\\r\nK=1\r\n', /line 1 ends with a backslash/],
    ['a line that goes on behind a comment', '# a\nB=x\\\nK=1\n', /line 2 ends with a backslash/],
    ['a line that goes on behind a sharp in its value', 'B=a#b\\\nK=1\n', /line 1 ends with a backslash/],
    ['a line that goes on behind a comment of its own', 'B=a # b \\\nK=1\n', /line 1 ends with a backslash/],
    ['a last line that goes on', 'B=x\\', /line 1 ends with a backslash/],
    ['a line that goes on behind a quoted value', 'B="a\nb"\\\nK=1\n', /line 2 ends with a backslash/],
    ['a line that is no assignment, and goes on', 'if x \\\n', /line 1 ends with a backslash/],
  ])('%s', (_, before, says) => {
    const error = refusal(() => withVariable(before, 'K', 'v'));
    expect(error).toMatchObject({ code: 'usage', hint: expect.stringMatching(/^nothing was created; .*--key-file/) });
    expect(error.message).toMatch(/^cannot change the dotenv file: /);
    expect(error.message).toMatch(says);
  });

  test('an escaped quote inside a quoted value is not its end for all readers: the file is refused, or nothing else changes', () => {
    const before = 'A="x\\"y"\nK=old\n';
    let after = before;
    try {
      after = withVariable(before, 'K', 'v');
    } catch (error) {
      expect(error).toMatchObject({ code: 'usage' });
    }
    expect(after.startsWith('A="x\\"y"\n')).toBe(true);
  });

  test('a value that a reader would cut off is not written', () => {
    expect(refusal(() => withVariable('', 'K', 'a#b')).message).toMatch(/a reader would not find K in it/);
  });
});

test('a change is only good when a reader finds the new value and every other one as it was', () => {
  expect(() => assertOnlyChange('A=1\nK=old\n', 'K=v\nA=1\n', 'K', 'v')).not.toThrow();
  expect(() => assertOnlyChange(`${MARK}A=1\n`, `${MARK}A=1\nK=v\n`, 'K', 'v')).not.toThrow();
  for (const [before, after, says] of [
    ['A=1\n', 'A=1\n', /would not find K/],
    ['A=1\n', 'A=1\nK=w\n', /would not find K/],
    ['A=1\n', 'A=2\nK=v\n', /another of its values/],
    ['A=1\n', 'K=v\n', /another of its values/],
    ['A=1\n', 'A=1\nB=2\nK=v\n', /another of its values/],
    [`${MARK}A=1\n`, 'A=2\nK=v\n', /another of its values/],
  ] as const)
    expect(refusal(() => assertOnlyChange(before, after, 'K', 'v')).message).toMatch(says);
});
