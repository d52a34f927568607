import { KEY_STRING_IN_TEXT } from '../domain/key-string.js';

/** An underscore, plain or escaped as in Markdown, URLs, mail and JSON. */
const UNDERSCORE = String.raw`(?:_|\\_|%5[Ff]|=5F|\\u005[Ff])`;

/**
 * A pattern for any scanner (RE2 syntax). Only `scan` checks the checksum, too. It has no word boundaries, because a letter may come right
 * before a key string, as in `\n`.
 */
export const PATTERN = KEY_STRING_IN_TEXT.source.replaceAll('_', UNDERSCORE);

/** Configurations for other scanners, by name. */
export const RULES: Readonly<Record<string, string>> = {
  gitleaks: `# .gitleaks.toml. For base64 and archives, run gitleaks with --max-decode-depth=2 --max-archive-depth=3.
[extend]
useDefault = true

[[rules]]
id = "unlockos-api-key"
description = "UnlockOS API key"
regex = '''${PATTERN}'''
keywords = ["unlk"]
`,
  trufflehog: `# trufflehog --config=unlockos.yaml. It decodes base64 and UTF-16, and opens archives.
detectors:
  - name: UnlockOS API key
    keywords:
      - unlk
    regex:
      key: '${PATTERN}'
`,
  secretlint: `${JSON.stringify(
    {
      rules: [
        {
          id: '@secretlint/secretlint-rule-pattern',
          options: { patterns: [{ name: 'UnlockOS API key', pattern: `/${PATTERN}/` }] },
        },
      ],
    },
    null,
    2,
  )}
`,
  github: `# GitHub, Settings > Code security > Secret scanning > Custom patterns
Pattern name:   UnlockOS API key
Secret format:  ${PATTERN}
Before secret:  \\A|[\\s\\S]
After secret:   \\z|[\\s\\S]
# GitHub decodes nothing and opens no archives: unlockos-keys scan --git-history does.
`,
  'pre-commit': `# .pre-commit-config.yaml
repos:
  - repo: local
    hooks:
      - id: unlockos-keys
        name: no UnlockOS API keys
        language: system
        entry: unlockos-keys scan --staged --offline
        pass_filenames: false

# or, without pre-commit, as .git/hooks/pre-commit (chmod +x):
#   #!/bin/sh
#   exec unlockos-keys scan --staged --offline
`,
};
