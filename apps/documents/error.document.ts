import { CONTROL_ERRORS } from '#libs/kernel/control-error.js';

/** The text of docs/errors.md. */
export function errorDocument(): string {
  return [
    '# Errors',
    '',
    'Every error is an `application/problem+json` document (RFC 9457) with a stable `code`; GraphQL carries the same `code` in',
    '`extensions`. The sentences may change, the codes do not. `retryAfter` (seconds) is there when trying again makes sense at a known',
    'time, `remedy` when there is something to do about it, `violations` names the faulty parts of a request.',
    '',
    'This page is generated from `libs/kernel/control-error.ts` by `npm run docs:generate`.',
    '',
    '| code | HTTP status | meaning |',
    '|---|---|---|',
    ...Object.entries(CONTROL_ERRORS).map(([code, { status, title }]) => `| \`${code}\` | ${status} | ${title} |`),
    '',
  ].join('\n');
}
