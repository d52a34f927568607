import { KEY_STRING_IN_TEXT } from '../domain/key-string.js';

/** The pattern that every scanner takes (RE2-safe). The checksum is for `scan` alone to check. */
export const PATTERN = KEY_STRING_IN_TEXT.source;

/** What to paste into other scanners, by their names. */
export const RULES: Readonly<Record<string, string>> = {
  gitleaks: `# .gitleaks.toml
[extend]
useDefault = true

[[rules]]
id = "unlockos-api-key"
description = "UnlockOS API key"
regex = '''${PATTERN}'''
keywords = ["unlk_"]
`,
  trufflehog: `# trufflehog --config=unlockos.yaml
detectors:
  - name: UnlockOS API key
    keywords:
      - unlk_
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
Secret format:  unlk_(?:live|test)_[0-9a-hjkmnp-tv-z]{12}_[0-9A-Za-z]{38}
Before secret:  \\A|[^0-9A-Za-z_]
After secret:   \\z|[^0-9A-Za-z_]
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
