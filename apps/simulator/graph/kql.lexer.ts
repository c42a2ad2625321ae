/** Where and why a query cannot be understood. */
export class KqlError extends Error {
  constructor(
    readonly code: 'ParserFailure' | 'SemanticError' | 'UnknownTable' | 'UnsupportedOperator',
    message: string,
  ) {
    super(message);
    this.name = 'KqlError';
  }
}

export type Token =
  | { kind: 'word'; text: string; at: number }
  | { kind: 'string'; text: string; at: number }
  | { kind: 'number'; value: number; at: number }
  | { kind: 'symbol'; text: string; at: number }
  | { kind: 'end'; at: number };

const SPACE = /\s+|\/\/[^\n]*/y;
/** Negated and case-insensitive word operators are one token: `!contains`, `in~`, `!in~`. */
const WORD = /!?[A-Za-z_][A-Za-z0-9_]*(?:-[a-z]+)?~?/y;
const NUMBER = /\d+(?:\.\d+)?/y;
const SYMBOL = /==|!=|=~|!~|<=|>=|[|,()[\].=<>*+-]/y;
const STRING = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/y;
/** Only these words contain a hyphen; elsewhere it is a minus. */
const HYPHENATED = new Set(['project-away', 'project-rename', 'project-keep', 'project-reorder', 'mv-expand']);

export function tokenize(query: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(query)?.[0];
  };
  while (at < query.length) {
    const space = match(SPACE);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const token = tokenAt(match, at);
    if (token === undefined) {
      throw new KqlError('ParserFailure', `Unexpected character '${query.charAt(at)}' at position ${at}.`);
    }
    tokens.push(token.token);
    at += token.length;
  }
  tokens.push({ kind: 'end', at });
  return tokens;
}

function tokenAt(
  match: (pattern: RegExp) => string | undefined,
  at: number,
): { token: Token; length: number } | undefined {
  const string = match(STRING);
  if (string !== undefined)
    return { token: { kind: 'string', text: unescape(string.slice(1, -1)), at }, length: string.length };
  const number = match(NUMBER);
  if (number !== undefined) return { token: { kind: 'number', value: Number(number), at }, length: number.length };
  const word = match(WORD);
  if (word !== undefined) {
    const text = word.includes('-') && !HYPHENATED.has(word) ? word.slice(0, word.indexOf('-')) : word;
    return { token: { kind: 'word', text, at }, length: text.length };
  }
  const symbol = match(SYMBOL);
  return symbol === undefined ? undefined : { token: { kind: 'symbol', text: symbol, at }, length: symbol.length };
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_whole, character: string) =>
    character === 'n' ? '\n' : character === 't' ? '\t' : character,
  );
}
