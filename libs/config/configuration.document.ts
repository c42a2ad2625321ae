import type { Setting } from './setting.js';
import { settings } from './settings.js';

/** The text of docs/configuration.md. */
export function configurationDocument(): string {
  const rows = Object.values<Setting>(settings).map((each) => {
    const preset = each.required
      ? 'required'
      : each.default === undefined || each.default === ''
        ? '–'
        : `\`${each.default}\``;
    return `| \`${each.variable}\` | ${each.description.replaceAll('|', '\\|')} | ${preset} | ${each.secret ? 'yes' : ''} |`;
  });
  return [
    '# Configuration',
    '',
    'Every process reads its configuration from environment variables, once, at start; a fault stops it with a list of all',
    'faults. Credentials for Azure are not listed here: they come from the variables that',
    '[@azure/identity](https://learn.microsoft.com/javascript/api/overview/azure/identity-readme) knows',
    '(`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`, workload identity, managed identity, …).',
    '',
    'This page is generated from `libs/config/settings.ts` by `npm run docs:generate`.',
    '',
    '| variable | meaning | default | secret |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
