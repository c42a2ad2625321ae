import { KubernetesStatusError } from './kubernetes-status.error.js';
import { labelValueFault, qualifiedNameFaults } from '../schema/name.rules.js';

export type Labels = Readonly<Record<string, string>>;

/** One condition on the labels of an object. All of a selector have to hold. */
export interface LabelRequirement {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'GreaterThan' | 'LessThan';
  values: readonly string[];
}

const TOKEN = /\s*(==|!=|=|!|\(|\)|,|>|<|[^\s=!(),<>]+)/gy;

/**
 * Reads the `labelSelector` of a request, equality and set based.
 * @throws KubernetesStatusError 400
 */
export function parseLabelSelector(text: string): LabelRequirement[] {
  const tokens = tokenize(text);
  const requirements: LabelRequirement[] = [];
  let position = 0;
  const next = (): string => tokens[position++] ?? '';
  const fail = (found: string, expected: string): never => {
    throw KubernetesStatusError.badRequest(`unable to parse requirement: found '${found}', expected: ${expected}`);
  };
  const readValues = (): string[] => {
    const opening = next();
    if (opening !== '(') fail(opening, "'('");
    const values: string[] = [];
    for (;;) {
      const token = next();
      if (token === ')') break;
      if (token === ',') {
        if (tokens[position] === ',' || tokens[position] === ')') values.push('');
        continue;
      }
      if (token === '') fail('', "',', or ')'");
      values.push(token);
    }
    return values;
  };
  while (position < tokens.length) {
    let key = next();
    if (key === '!') {
      key = next();
      requirements.push({ key: checkedKey(key), operator: 'DoesNotExist', values: [] });
    } else {
      checkedKey(key);
      const operator = tokens[position];
      if (operator === undefined || operator === ',') requirements.push({ key, operator: 'Exists', values: [] });
      else {
        position++;
        switch (operator) {
          case '=':
          case '==':
          case '!=': {
            const value = tokens[position] === undefined || tokens[position] === ',' ? '' : next();
            requirements.push({
              key,
              operator: operator === '!=' ? 'NotIn' : 'In',
              values: [checkedValue(key, value)],
            });
            break;
          }
          case 'in':
          case 'notin': {
            const values = readValues().map((value) => checkedValue(key, value));
            requirements.push({ key, operator: operator === 'in' ? 'In' : 'NotIn', values });
            break;
          }
          case '>':
          case '<':
            requirements.push({ key, operator: operator === '>' ? 'GreaterThan' : 'LessThan', values: [next()] });
            break;
          default:
            fail(operator, 'in, notin, =, ==, !=, gt, lt');
        }
      }
    }
    if (position >= tokens.length) break;
    const separator = next();
    if (separator !== ',') fail(separator, "',' or 'end of string'");
    if (position >= tokens.length) fail('', "identifier after ','");
  }
  return requirements;
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) tokens.push(match[1]!);
  return tokens;
}

function checkedKey(key: string): string {
  const fault = qualifiedNameFaults(key)[0];
  if (fault === undefined) return key;
  throw KubernetesStatusError.badRequest(
    `unable to parse requirement: <nil>: Invalid value: ${JSON.stringify(key)}: ${fault}`,
  );
}

function checkedValue(key: string, value: string): string {
  const fault = labelValueFault(value);
  if (fault === undefined) return value;
  throw KubernetesStatusError.badRequest(
    `unable to parse requirement: values[0][${key}]: Invalid value: ${JSON.stringify(value)}: ${fault}`,
  );
}

export function matchesLabels(requirements: readonly LabelRequirement[], labels: Labels | undefined): boolean {
  return requirements.every(({ key, operator, values }) => {
    const value = labels?.[key];
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      case 'GreaterThan':
        return value !== undefined && Number(value) > Number(values[0]);
      case 'LessThan':
        return value !== undefined && Number(value) < Number(values[0]);
    }
  });
}
