/** What an expression of the Common Expression Language consists of, as far as it is understood here. */
export type CelExpression =
  | { node: 'literal'; value: string | number | boolean | null }
  | { node: 'identifier'; name: string }
  | { node: 'list'; items: CelExpression[] }
  | { node: 'select'; of: CelExpression; member: string }
  | { node: 'index'; of: CelExpression; index: CelExpression }
  | { node: 'has'; of: CelExpression; member: string }
  | { node: 'comprehension'; macro: CelMacro; of: CelExpression; variable: string; body: CelExpression }
  | { node: 'call'; name: string; arguments: CelExpression[] }
  | { node: 'method'; name: string; of: CelExpression; arguments: CelExpression[] }
  | { node: 'not'; of: CelExpression }
  | { node: 'negate'; of: CelExpression }
  | { node: 'and' | 'or'; left: CelExpression; right: CelExpression }
  | { node: 'binary'; operator: CelOperator; left: CelExpression; right: CelExpression }
  | { node: 'condition'; test: CelExpression; yes: CelExpression; no: CelExpression };

export type CelOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | '+' | '-' | '*';
export type CelMacro = 'all' | 'exists' | 'exists_one' | 'filter' | 'map';

/** An expression that is not one, or that uses what is not understood here. */
export class CelSyntaxError extends Error {
  override readonly name = 'CelSyntaxError';
}

type Token =
  | { kind: 'name' | 'symbol'; text: string }
  | { kind: 'string'; value: string }
  | { kind: 'number'; value: number }
  | { kind: 'end' };

const MACROS: readonly string[] = ['all', 'exists', 'exists_one', 'filter', 'map'] satisfies CelMacro[];
const RELATIONS: readonly string[] = ['==', '!=', '<', '<=', '>', '>=', 'in'] satisfies CelOperator[];

const TOKEN =
  /\s*(?:(?<number>[0-9]+(?:\.[0-9]+)?)|(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?<symbol>==|!=|<=|>=|&&|\|\||[-+*<>!?:.,()[\]]))/y;

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'" };

/** @throws CelSyntaxError */
export function parseCel(source: string): CelExpression {
  return new Parser(tokens(source), source).parse();
}

function tokens(source: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  let end = 0;
  for (let match = TOKEN.exec(source); match !== null; match = TOKEN.exec(source)) {
    end = TOKEN.lastIndex;
    const { number, name, string, symbol } = match.groups!;
    if (number !== undefined) found.push({ kind: 'number', value: Number(number) });
    else if (name !== undefined) found.push({ kind: 'name', text: name });
    else if (string !== undefined) found.push({ kind: 'string', value: unquote(string) });
    else found.push({ kind: 'symbol', text: symbol! });
  }
  const rest = source.slice(end).trim();
  if (rest !== '') throw new CelSyntaxError(`Syntax error: not understood from '${rest.slice(0, 20)}' in '${source}'`);
  return [...found, { kind: 'end' }];
}

function unquote(quoted: string): string {
  return quoted.slice(1, -1).replaceAll(/\\(.)/g, (escape, letter: string) => {
    const character = ESCAPES[letter];
    if (character === undefined) throw new CelSyntaxError(`Syntax error: the escape '${escape}' is not understood`);
    return character;
  });
}

class Parser {
  #position = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly source: string,
  ) {}

  parse(): CelExpression {
    const expression = this.#condition();
    if (this.#token.kind !== 'end') this.#fail();
    return expression;
  }

  #condition(): CelExpression {
    const test = this.#or();
    if (!this.#take('?')) return test;
    const yes = this.#or();
    this.#expect(':');
    return { node: 'condition', test, yes, no: this.#condition() };
  }

  #or(): CelExpression {
    let left = this.#and();
    while (this.#take('||')) left = { node: 'or', left, right: this.#and() };
    return left;
  }

  #and(): CelExpression {
    let left = this.#relation();
    while (this.#take('&&')) left = { node: 'and', left, right: this.#relation() };
    return left;
  }

  #relation(): CelExpression {
    let left = this.#sum();
    for (let operator = this.#text; RELATIONS.includes(operator); operator = this.#text) {
      this.#position++;
      left = { node: 'binary', operator: operator as CelOperator, left, right: this.#sum() };
    }
    return left;
  }

  #sum(): CelExpression {
    let left = this.#product();
    for (let operator = this.#text; operator === '+' || operator === '-'; operator = this.#text) {
      this.#position++;
      left = { node: 'binary', operator, left, right: this.#product() };
    }
    return left;
  }

  #product(): CelExpression {
    let left = this.#unary();
    while (this.#take('*')) left = { node: 'binary', operator: '*', left, right: this.#unary() };
    return left;
  }

  #unary(): CelExpression {
    if (this.#take('!')) return { node: 'not', of: this.#unary() };
    if (this.#take('-')) return { node: 'negate', of: this.#unary() };
    return this.#member();
  }

  #member(): CelExpression {
    let expression = this.#primary();
    for (;;) {
      if (this.#take('.')) {
        const name = this.#name();
        expression = this.#take('(')
          ? this.#method(expression, name)
          : { node: 'select', of: expression, member: name };
      } else if (this.#take('[')) {
        expression = { node: 'index', of: expression, index: this.#condition() };
        this.#expect(']');
      } else return expression;
    }
  }

  #method(of: CelExpression, name: string): CelExpression {
    if (!MACROS.includes(name)) return { node: 'method', name, of, arguments: this.#list(')') };
    const variable = this.#name();
    this.#expect(',');
    const body = this.#condition();
    this.#expect(')');
    return { node: 'comprehension', macro: name as CelMacro, of, variable, body };
  }

  #primary(): CelExpression {
    const token = this.#token;
    switch (token.kind) {
      case 'number':
      case 'string':
        this.#position++;
        return { node: 'literal', value: token.value };
      case 'name':
        this.#position++;
        return this.#named(token.text);
      case 'symbol':
        if (this.#take('(')) {
          const inner = this.#condition();
          this.#expect(')');
          return inner;
        }
        if (this.#take('[')) return { node: 'list', items: this.#list(']') };
        return this.#fail();
      case 'end':
        return this.#fail();
    }
  }

  #named(name: string): CelExpression {
    if (name === 'true' || name === 'false') return { node: 'literal', value: name === 'true' };
    if (name === 'null') return { node: 'literal', value: null };
    if (!this.#take('(')) return { node: 'identifier', name };
    const given = this.#list(')');
    if (name !== 'has') return { node: 'call', name, arguments: given };
    const [selection] = given;
    if (given.length !== 1 || selection?.node !== 'select') {
      throw new CelSyntaxError(`invalid argument to has() macro in '${this.source}'`);
    }
    return { node: 'has', of: selection.of, member: selection.member };
  }

  #list(end: ')' | ']'): CelExpression[] {
    const items: CelExpression[] = [];
    if (this.#take(end)) return items;
    do items.push(this.#condition());
    while (this.#take(','));
    this.#expect(end);
    return items;
  }

  #name(): string {
    const token = this.#token;
    if (token.kind !== 'name') return this.#fail();
    this.#position++;
    return token.text;
  }

  get #token(): Token {
    return this.tokens[this.#position]!;
  }

  /** Of a word or a symbol; empty for everything else. */
  get #text(): string {
    const token = this.#token;
    return token.kind === 'symbol' || token.kind === 'name' ? token.text : '';
  }

  #take(symbol: string): boolean {
    const token = this.#token;
    if (token.kind !== 'symbol' || token.text !== symbol) return false;
    this.#position++;
    return true;
  }

  #expect(symbol: string): void {
    if (!this.#take(symbol)) this.#fail();
  }

  #fail(): never {
    const token = this.#token;
    const found = token.kind === 'end' ? 'the end' : 'text' in token ? `'${token.text}'` : `'${token.value}'`;
    throw new CelSyntaxError(`Syntax error: unexpected ${found} in '${this.source}'`);
  }
}
