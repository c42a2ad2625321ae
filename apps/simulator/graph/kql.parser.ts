import type { KqlColumn, KqlExpression, KqlOrder, KqlQuery, KqlStage } from './kql.ast.js';
import { KqlError, tokenize } from './kql.lexer.js';
import type { Token } from './kql.lexer.js';

const COMPARISONS = new Set(['==', '!=', '=~', '!~', '<', '<=', '>', '>=']);
const TEXT_COMPARISONS = new Set([
  'contains',
  '!contains',
  'contains_cs',
  'has',
  '!has',
  'startswith',
  '!startswith',
  'endswith',
  '!endswith',
]);
const LIST_COMPARISONS = new Set(['in', '!in', 'in~', '!in~']);
const STAGES = new Set([
  'where',
  'project',
  'project-away',
  'extend',
  'order',
  'sort',
  'take',
  'limit',
  'top',
  'summarize',
  'distinct',
  'count',
]);
const DEFAULT_TABLE = 'resources';

/**
 * Reads the part of the Kusto query language that callers of Resource Graph use to find resources.
 * @throws KqlError saying where the query cannot be read.
 */
export function parseKql(query: string): KqlQuery {
  return new Parser(tokenize(query)).query();
}

class Parser {
  #next = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  query(): KqlQuery {
    const stages: KqlStage[] = [];
    // The table may be left out: a query that begins with an operator is about `resources`.
    const first = this.#peek();
    let table = DEFAULT_TABLE;
    if (first.kind === 'word' && !STAGES.has(first.text)) {
      table = this.#word('a table').toLowerCase();
    } else if (first.kind === 'word') {
      stages.push(...this.#stages());
    } else {
      throw this.#unexpected('a table');
    }
    while (this.#peek().kind !== 'end') {
      this.#symbol('|');
      stages.push(...this.#stages());
    }
    return { table, stages };
  }

  #stages(): KqlStage[] {
    if (!this.#isWord('top')) return [this.#stage()];
    this.#next++;
    const count = this.#number();
    this.#keyword('by');
    return [
      { kind: 'order', by: this.#orders() },
      { kind: 'take', count },
    ];
  }

  #stage(): KqlStage {
    const name = this.#word('an operator');
    switch (name) {
      case 'where':
        return { kind: 'where', condition: this.#expression() };
      case 'project':
        return { kind: 'project', columns: this.#columns() };
      case 'project-away':
        return { kind: 'project-away', names: this.#separated(() => this.#word('a column')) };
      case 'extend':
        return { kind: 'extend', columns: this.#columns() };
      case 'order':
      case 'sort':
        this.#keyword('by');
        return { kind: 'order', by: this.#orders() };
      case 'take':
      case 'limit':
        return { kind: 'take', count: this.#number() };
      case 'summarize':
        return this.#summarize();
      case 'distinct':
        return { kind: 'distinct', columns: this.#columns() };
      case 'count':
        return { kind: 'count' };
      default:
        throw new KqlError('UnsupportedOperator', `The operator '${name}' is not supported.`);
    }
  }

  #summarize(): KqlStage {
    const aggregates = this.#isWord('by') ? [] : this.#columns();
    if (!this.#isWord('by')) return { kind: 'summarize', aggregates, by: [] };
    this.#next++;
    return { kind: 'summarize', aggregates, by: this.#columns() };
  }

  #columns(): KqlColumn[] {
    return this.#separated(() => {
      const [first, second] = [this.#peek(), this.tokens[this.#next + 1]];
      if (first.kind === 'word' && second?.kind === 'symbol' && second.text === '=') {
        this.#next += 2;
        return { name: first.text, expression: this.#expression() };
      }
      return { expression: this.#expression() };
    });
  }

  #orders(): KqlOrder[] {
    return this.#separated(() => {
      const expression = this.#expression();
      // Kusto sorts downwards unless told otherwise.
      let descending = true;
      if (this.#isWord('asc') || this.#isWord('desc')) descending = this.#word('an order') === 'desc';
      if (this.#isWord('nulls')) this.#next += 2;
      return { expression, descending };
    });
  }

  #expression(): KqlExpression {
    let left = this.#conjunction();
    while (this.#isWord('or')) {
      this.#next++;
      left = { kind: 'binary', operator: 'or', left, right: this.#conjunction() };
    }
    return left;
  }

  #conjunction(): KqlExpression {
    let left = this.#comparison();
    while (this.#isWord('and')) {
      this.#next++;
      left = { kind: 'binary', operator: 'and', left, right: this.#comparison() };
    }
    return left;
  }

  #comparison(): KqlExpression {
    const left = this.#primary();
    const token = this.#peek();
    if (token.kind === 'symbol' && COMPARISONS.has(token.text)) {
      this.#next++;
      return { kind: 'binary', operator: token.text, left, right: this.#primary() };
    }
    if (token.kind === 'word' && TEXT_COMPARISONS.has(token.text)) {
      this.#next++;
      return { kind: 'binary', operator: token.text, left, right: this.#primary() };
    }
    if (token.kind === 'word' && LIST_COMPARISONS.has(token.text)) {
      this.#next++;
      this.#symbol('(');
      const items = this.#separated(() => this.#expression());
      this.#symbol(')');
      return { kind: 'list', operator: token.text, left, items };
    }
    return left;
  }

  #primary(): KqlExpression {
    const token = this.#peek();
    if (token.kind === 'string') {
      this.#next++;
      return { kind: 'literal', value: token.text };
    }
    if (token.kind === 'number') {
      this.#next++;
      return { kind: 'literal', value: token.value };
    }
    if (token.kind === 'symbol' && token.text === '-') {
      this.#next++;
      return { kind: 'literal', value: -this.#number() };
    }
    if (token.kind === 'symbol' && token.text === '(') {
      this.#next++;
      const inner = this.#expression();
      this.#symbol(')');
      return inner;
    }
    if (token.kind !== 'word') throw this.#unexpected('an expression');
    this.#next++;
    if (token.text === 'true' || token.text === 'false') return { kind: 'literal', value: token.text === 'true' };
    if (token.text === 'null') return { kind: 'literal', value: null };
    return this.#isSymbol('(') ? this.#call(token.text) : this.#path(token.text);
  }

  #call(name: string): KqlExpression {
    this.#symbol('(');
    const parameters = this.#isSymbol(')') ? [] : this.#separated(() => this.#expression());
    this.#symbol(')');
    return { kind: 'call', name: name.toLowerCase(), parameters };
  }

  #path(root: string): KqlExpression {
    const steps: (string | number)[] = [];
    for (;;) {
      if (this.#isSymbol('.')) {
        this.#next++;
        steps.push(this.#word('a property'));
      } else if (this.#isSymbol('[')) {
        this.#next++;
        const token = this.#peek();
        if (token.kind !== 'string' && token.kind !== 'number') throw this.#unexpected('a property or an index');
        this.#next++;
        steps.push(token.kind === 'string' ? token.text : token.value);
        this.#symbol(']');
      } else {
        return { kind: 'path', root, steps };
      }
    }
  }

  #separated<T>(read: () => T): T[] {
    const items = [read()];
    while (this.#isSymbol(',')) {
      this.#next++;
      items.push(read());
    }
    return items;
  }

  #peek(): Token {
    return this.tokens[this.#next]!;
  }

  #isWord(text: string): boolean {
    const token = this.#peek();
    return token.kind === 'word' && token.text === text;
  }

  #isSymbol(text: string): boolean {
    const token = this.#peek();
    return token.kind === 'symbol' && token.text === text;
  }

  #word(what: string): string {
    const token = this.#peek();
    if (token.kind !== 'word') throw this.#unexpected(what);
    this.#next++;
    return token.text;
  }

  #keyword(text: string): void {
    if (!this.#isWord(text)) throw this.#unexpected(`'${text}'`);
    this.#next++;
  }

  #symbol(text: string): void {
    if (!this.#isSymbol(text)) throw this.#unexpected(`'${text}'`);
    this.#next++;
  }

  #number(): number {
    const token = this.#peek();
    if (token.kind !== 'number') throw this.#unexpected('a number');
    this.#next++;
    return token.value;
  }

  #unexpected(wanted: string): KqlError {
    const token = this.#peek();
    const found = token.kind === 'end' ? 'the end of the query' : `'${'text' in token ? token.text : token.value}'`;
    return new KqlError('ParserFailure', `Expected ${wanted} at position ${token.at}, found ${found}.`);
  }
}
