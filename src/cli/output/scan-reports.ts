import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { statusAt } from '../../domain/api-key.js';
import { maskKey } from '../../domain/key-string.js';
import { safeJson, safeText } from '../../domain/text.js';
import { VERSION } from '../../version.js';
import type { Finding } from './scan-view.js';

/** What a scan found, for a report. Paths are relative to `cwd` where they are below it. */
export interface ScanResult {
  readonly findings: readonly Finding[];
  readonly unreadable: readonly { readonly file: string; readonly why: string }[];
  readonly now: Date;
  readonly cwd: string;
}

const HOME = 'https://github.com/unlockos/unlockos-keys';

const RULES = {
  'active-key': {
    level: 'error',
    text: 'The key string of an active API key',
    help: 'Disable the key, then rotate it: unlockos-keys disable KEY',
  },
  'key-string': {
    level: 'error',
    text: 'The key string of an API key',
    help: 'Treat the key as leaked: unlockos-keys disable --stdin',
  },
  'damaged-key-string': {
    level: 'note',
    text: 'A key string with a wrong checksum: cut, mistyped or invented',
    help: 'A cut key string still reveals most of its secret.',
  },
} as const;
type RuleId = keyof typeof RULES;

function ruleOf({ checksum, key }: Finding, now: Date): RuleId {
  if (checksum === 'bad') return 'damaged-key-string';
  return key !== null && statusAt(key, now) === 'active' ? 'active-key' : 'key-string';
}

/** One line about a finding, without its secret. */
function message(finding: Finding, now: Date): string {
  const { mode, id, key, commit } = finding;
  const whose = key === null ? '' : `, key "${key.name}" (${statusAt(key, now)})`;
  const where = commit === null ? '' : `, added by commit ${commit.slice(0, 12)}`;
  return safeText(`${RULES[ruleOf(finding, now)].text}: ${maskKey(mode, id)}${whose}${where}`);
}

/** A file as a URI: relative to the working directory, or absolute when it lies outside. */
function uriOf(file: string, cwd: string): { uri: string; uriBaseId?: string } {
  const relative = path.relative(cwd, path.resolve(cwd, file));
  const [first = ''] = relative.split(path.sep);
  if (first === '..' || path.isAbsolute(relative)) return { uri: pathToFileURL(path.resolve(cwd, file)).href };
  const uri = relative
    .split(path.sep)
    .map((part) => encodeURIComponent(part))
    .join('/');
  return { uri, uriBaseId: '%SRCROOT%' };
}

/**
 * A report in SARIF 2.1.0 (OASIS), which GitHub code scanning and other tools read. A finding in the name of a file has no line. Columns are
 * left out, because SARIF counts characters and a scan counts bytes.
 */
export function sarif({ findings, unreadable, now, cwd }: ScanResult): string {
  const results = findings.map((finding) => ({
    ruleId: ruleOf(finding, now),
    level: RULES[ruleOf(finding, now)].level,
    message: { text: message(finding, now) },
    locations: [
      {
        physicalLocation: {
          artifactLocation: uriOf(finding.file, cwd),
          ...(finding.line > 0 && { region: { startLine: finding.line } }),
        },
      },
    ],
    partialFingerprints: { 'keyId/v1': `${finding.id}:${finding.file}` },
    properties: { keyId: finding.id, mode: finding.mode, commit: finding.commit, disabled: finding.disabled },
  }));
  const rules = Object.entries(RULES).map(([id, { level, text, help }]) => ({
    id,
    shortDescription: { text },
    help: { text: help },
    helpUri: `${HOME}/blob/main/docs/rotation-and-leaks.md`,
    defaultConfiguration: { level },
  }));
  const notifications = unreadable.map(({ file, why }) => ({
    level: 'warning',
    message: { text: safeText(`could not read ${file} (${why})`) },
  }));
  const run = {
    tool: { driver: { name: 'unlockos-keys', version: VERSION, informationUri: HOME, rules } },
    invocations: [{ executionSuccessful: true, toolExecutionNotifications: notifications }],
    results,
  };
  return `${safeJson({ $schema: 'https://json.schemastore.org/sarif-2.1.0.json', version: '2.1.0', runs: [run] }, 2)}\n`;
}

/** Escapes a message of a GitHub workflow command; `property` also escapes what ends a property. */
function escaped(text: string, property = false): string {
  const escapes: Record<string, string> = { '%': '%25', '\r': '%0D', '\n': '%0A', ':': '%3A', ',': '%2C' };
  return safeText(text).replace(property ? /[%\r\n:,]/g : /[%\r\n]/g, (char) => escapes[char] ?? char);
}

/** Annotations for the log of a GitHub Actions job: one workflow command per finding. */
export function githubAnnotations({ findings, unreadable, now }: ScanResult): string {
  const command = (level: string, file: string, line: number, text: string) => {
    const place = line > 0 ? `,line=${line}` : '';
    return `::${level} file=${escaped(file, true)}${place},title=unlockos-keys scan::${escaped(text)}\n`;
  };
  return [
    ...findings.map((finding) => {
      const level = RULES[ruleOf(finding, now)].level === 'error' ? 'error' : 'notice';
      return command(level, finding.file, finding.line, message(finding, now));
    }),
    ...unreadable.map(({ file, why }) => command('warning', file, 0, `could not read this file (${why})`)),
  ].join('');
}

/** The reports of `scan`, by the name of their output format. */
export const SCAN_REPORTS = { sarif, github: githubAnnotations };
