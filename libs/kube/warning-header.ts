import type { AnswerHeaders } from './retry-after.js';

const MOST_WARNINGS = 50;

/** The texts of `Warning` headers (RFC 7234, 5.5: `299 - "text"`, several in one header or in many). */
export function warningsOf(headers: AnswerHeaders): string[] {
  const values = headers.warning;
  const text = (Array.isArray(values) ? values : [values ?? '']).join(', ');
  const warnings = [...text.matchAll(/\b\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted = '']) =>
    quoted.replaceAll(/\\(.)/g, '$1'),
  );
  return [...new Set(warnings)].slice(0, MOST_WARNINGS);
}
